#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prometheus' HTTP API and remote write, against the real server."""
import gzip
import json
import time

from harness import Server, WRITE_HEADERS, http, main, remote_write, snappy, test, series

NOW_S = int(time.time()) // 60 * 60 - 600


def filled(s):
    """Two counters and a gauge, a sample a minute for ten minutes."""
    rows = []
    for code in ("200", "500"):
        rows.append(({"__name__": "requests_total", "code": code, "job": "web"},
                     [(60.0 * i * (2 if code == "200" else 1), (NOW_S + 60 * i) * 1000)
                      for i in range(10)]))
    rows.append(({"__name__": "temperature", "room": "söul"},
                 [(20.5 + i, (NOW_S + 60 * i) * 1000) for i in range(10)]))
    reply = remote_write(s.url, rows)
    assert reply.status == 204, reply.text
    return s


@test
def what_was_acknowledged_is_there_at_once():
    with Server("--no-watch.host") as s:
        filled(s)
        end = NOW_S + 540
        assert s.query("temperature", time=end) == [
            ({"__name__": "temperature", "room": "söul"}, 29.5)]
        rates = s.query("sum by (code) (rate(requests_total[5m]))", time=end)
        assert sorted((r["code"], v) for r, v in rates) == [("200", 2.0), ("500", 1.0)], rates
        assert s.query("1 + 1") == 2.0
        raw = s.get("/api/v1/query", query="temperature[2m]", time=end).json["data"]
        assert raw["resultType"] == "matrix"
        assert raw["result"][0]["values"] == [[NOW_S + 480, "28.5"], [NOW_S + 540, "29.5"]]


@test
def range_queries_by_get_and_post():
    with Server("--no-watch.host") as s:
        filled(s)
        form = {"query": "temperature", "start": NOW_S, "end": NOW_S + 540, "step": "1m"}
        by_post = s.post("/api/v1/query_range", form)
        by_get = s.get("/api/v1/query_range", **form)
        assert by_post.status == by_get.status == 200, by_post.text
        assert by_post.json == by_get.json
        values = by_get.json["data"]["result"][0]["values"]
        assert values == [[NOW_S + 60 * i, str(20.5 + i)] for i in range(10)], values


@test
def names_values_and_series():
    with Server("--no-watch.host") as s:
        filled(s)
        assert s.get("/api/v1/labels").json["data"] == ["__name__", "code", "job", "room"]
        assert s.get("/api/v1/label/code/values").json["data"] == ["200", "500"]
        assert s.get("/api/v1/label/__name__/values",
                     **{"match[]": ["temperature"]}).json["data"] == ["temperature"]
        found = s.get("/api/v1/series", **{"match[]": ['requests_total{code="500"}', "temperature"]})
        assert found.json["data"] == [
            {"__name__": "requests_total", "code": "500", "job": "web"},
            {"__name__": "temperature", "room": "söul"}], found.json
        limited = s.get("/api/v1/series", limit=1, **{"match[]": "requests_total"}).json
        assert len(limited["data"]) == 1 and limited["warnings"], limited


@test
def errors_have_a_place_and_a_kind():
    with Server("--no-watch.host") as s:
        for params, status, kind, words in (
                ({"query": "sum(rate(x[5m])"}, 400, "bad_data",
                 'invalid parameter "query": 1:16: parse error:'),
                ({"query": ""}, 400, "bad_data", "query"),
                ({"query": "up", "time": "yesterday"}, 400, "bad_data", "time"),
                ({"query": "up", "timeout": "soon"}, 400, "bad_data", "timeout"),
                ({"query": "rate(up)"}, 400, "bad_data", "range vector"),
        ):
            reply = s.get("/api/v1/query", **params)
            assert reply.status == status, (params, reply.text)
            assert reply.json["status"] == "error" and reply.json["errorType"] == kind, reply.json
            assert words in reply.json["error"], reply.json
        reply = s.get("/api/v1/query_range", query="up", start=0, end=1e9, step=1)
        assert reply.status == 400 and "11000" in reply.json["error"].replace(",", ""), reply.text
        assert s.get("/api/v1/series").status == 400
        assert s.get("/api/v1/nothing").status == 404
        assert s.post("/api/v1/targets").status == 405


@test
def a_query_over_its_limit_names_the_setting():
    with Server("--no-watch.host", "--query.max-samples=5") as s:
        filled(s)
        reply = s.get("/api/v1/query", query="count_over_time(temperature[1h])", time=NOW_S + 540)
        assert reply.status == 422 and "--query.max-samples" in reply.json["error"], reply.text


@test
def status_pages_answer():
    with Server() as s:
        build = s.get("/api/v1/status/buildinfo").json["data"]
        assert build["version"].startswith("3.") and build["nunchiVersion"]
        assert s.get("/api/v1/status/runtimeinfo").json["data"]["storageRetention"] == "15d"
        assert s.get("/api/v1/status/flags").json["data"]["query.timeout"] == "2m"
        assert "headStats" in s.get("/api/v1/status/tsdb").json["data"]
        limits = {l["setting"]: l for l in s.get("/api/v1/status/nunchi").json["data"]["limits"]}
        assert 0 < limits["--web.max-connections"]["used"] <= limits["--web.max-connections"]["max"], limits
        assert "used" not in limits["--query.timeout"], limits
        assert s.get("/api/v1/alertmanagers").json["data"]["activeAlertmanagers"] == []
        assert s.get("/-/healthy").status == 200
        metrics = s.get("/metrics").text
        assert "# TYPE nunchi_http_requests_total counter" in metrics
        assert "process_resident_memory_bytes" in metrics
        om = s.get("/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
        assert om.text.endswith("# EOF\n") and "openmetrics" in om.headers["Content-Type"]


@test
def remote_write_refuses_what_it_cannot_read():
    with Server("--no-watch.host") as s:
        one = series({"__name__": "m"}, [(1.0, NOW_S * 1000)])
        cases = (
            (snappy(one), {}, 204),
            (b"\xff\xff\xff\xff\x7f", {}, (400, 413)),  # says it is 32 GiB
            (b"junk", {}, 400),
            (snappy(b"\x0a\xff"), {}, 400),
            (snappy(series({"a": "b"}, [(1.0, 1)])), {}, 400),
            (snappy(one), {"Content-Encoding": "gzip"}, 415),
            (snappy(one), {"Content-Type": "text/plain"}, 415),
            (snappy(one), {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v3."
                                           "Request"}, 415),
            (b"", {}, 400),
            (snappy(b""), {}, 204),
        )
        for n, (body, headers, status) in enumerate(cases):
            reply = http(s.url + "/api/v1/write", body, {**WRITE_HEADERS, **headers}, "POST")
            wanted = status if isinstance(status, tuple) else (status,)
            assert reply.status in wanted, (n, reply.status, reply.text)
        assert s.query("m", time=NOW_S) == [({"__name__": "m"}, 1.0)]
        huge = http(s.url + "/api/v1/write", b"x" * (33 << 20), WRITE_HEADERS, "POST")
        assert huge.status == 413


@test
def a_page_of_another_site_cannot_write():
    with Server("--no-watch.host") as s:
        body = snappy(series({"__name__": "m"}, [(1.0, NOW_S * 1000)]))
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"},
                        {"Host": "evil.example"}):
            reply = http(s.url + "/api/v1/write", body, {**WRITE_HEADERS, **headers}, "POST")
            assert reply.status == 403, (headers, reply.status)
        assert s.query("m", time=NOW_S) == []
        assert s.get("/api/v1/labels").headers["Access-Control-Allow-Origin"] == "*"


@test
def a_query_cannot_give_itself_more_time():
    with Server("--no-watch.host") as s:
        filled(s)
        end = NOW_S + 540
        for timeout in ("-1", "0", "-9e12", "-9223372036"):  # the third wraps in nanoseconds
            reply = s.get("/api/v1/query", query="temperature", time=end, timeout=timeout)
            assert reply.status == 503 and reply.json["errorType"] == "timeout", reply.text
        for params in ({"timeout": "9e12"}, {"timeout": "292y"}, {"lookback_delta": "-1"},
                       {"lookback_delta": "0"}, {"lookback_delta": "9e12"}):
            reply = s.get("/api/v1/query", query="temperature", time=end, **params)
            assert len(reply.json["data"]["result"]) == 1, (params, reply.text)


@test
def names_in_paths_are_unescaped():
    with Server("--no-watch.host") as s:
        row = ({"__name__": "m", "a.b": "x"}, [(1.0, NOW_S * 1000)])
        assert remote_write(s.url, [row]).status == 204
        for name, values in (("a.b", ["x"]), ("U__a_2e_b", ["x"]), ("U__a_2E_b", ["x"]),
                             ("U__a_%12e_b", []), ("U__a_", []), ("U__", [])):
            reply = s.get(f"/api/v1/label/{name}/values")
            assert reply.status in (200, 400) and reply.json.get("data", []) == values, (
                name, reply.text)


@test
def answers_are_never_guessed_at():
    with Server("--no-watch.host") as s:
        for path in ("/nope/<script>", "/metrics", "/api/v1/labels", "/-/ready", "/api/v1/series"):
            assert s.get(path).headers["X-Content-Type-Options"] == "nosniff", path


@test
def duplicates_pass_and_conflicts_are_told():
    with Server("--no-watch.host") as s:
        row = ({"__name__": "m"}, [(1.0, NOW_S * 1000)])
        assert remote_write(s.url, [row]).status == 204
        assert remote_write(s.url, [row]).status == 204
        reply = remote_write(s.url, [({"__name__": "m"}, [(2.0, NOW_S * 1000)]),
                                     ({"__name__": "n"}, [(3.0, NOW_S * 1000)])])
        assert reply.status == 400 and "1 samples stored" in reply.text, reply.text
        assert s.query("m", time=NOW_S)[0][1] == 1.0
        assert s.query("n", time=NOW_S)[0][1] == 3.0


@test
def large_answers_are_streamed_and_compressed():
    with Server("--no-watch.host") as s:
        rows = [({"__name__": "many", "i": str(i)}, [(float(i), NOW_S * 1000)]) for i in range(20000)]
        assert remote_write(s.url, rows).status == 204
        plain = s.get("/api/v1/query", query="many", time=NOW_S)
        assert len(plain.json["data"]["result"]) == 20000
        packed = s.get("/api/v1/query", {"Accept-Encoding": "gzip"}, query="many", time=NOW_S)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(packed.body)) == plain.json


@test
def the_pages_come_with_their_policy():
    with Server("--no-watch.host") as s:
        page = s.get("/")
        if page.status == 404:
            return  # built without the UI
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, policy
        assert http(s.url + "/", headers={"If-None-Match": page.headers["ETag"]}).status == 304
        for path in ("/query", "/graph", "/targets", "/status"):
            assert s.get(path).body == page.body
        for path in ("/assets/../../etc/passwd", "/assets/%2e%2e%2fetc%2fpasswd", "/assets/x.js"):
            assert s.get(path).status in (400, 404)


main()
