#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The HTTP API row by row: methods, parameters and their mistakes, limits, envelopes, codings, CORS.

The texts of errors are Prometheus', as far as clients may look at them.
"""
import contextlib
import gzip
import http.client
import json
import re
import struct
import subprocess
import time
import urllib.parse

from harness import (PATIENCE_S, SANITIZED, Server, main, need, remote_write, resident_bytes,
                     test)

T = int(time.time()) // 60 * 60 - 120
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
RANGE = {"query": "m", "start": T, "end": T + 60, "step": 30}


def data_of(s):
    rows = [({"__name__": "m", "i": str(i), "job": "x"}, [(i, T * 1000), (i + 10, T * 1000 + 30000)])
            for i in range(3)]
    rows.append(({"__name__": "other", "dotted.name": "v"}, [(5, T * 1000)]))
    assert remote_write(s.url, rows).status == 204


@contextlib.contextmanager
def filled(*args):
    with Server("--no-watch.host", *args) as s:
        data_of(s)
        yield s


def count(n):
    return lambda d: len(d) == n


# path, parameters, status, what must hold: of `data` a function, of an error its type and part of its text.
BOTH = [
    ("query", {"query": "m", "time": T}, 200, lambda d: d["resultType"] == "vector" and len(d["result"]) == 3),
    ("query", {"query": "m", "time": f"{T}.000"}, 200, lambda d: d["result"][0]["value"][0] == T),
    ("query", {"query": "1.5", "time": T + 0.5}, 200, lambda d: d["result"] == [T + 0.5, "1.5"]),
    ("query", {"query": "m", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T))}, 200,
     lambda d: len(d["result"]) == 3),
    ("query", {"query": "m", "time": time.strftime("%Y-%m-%dT%H:%M:%S.5+00:00", time.gmtime(T))}, 200,
     lambda d: d["result"][0]["value"][0] == T + 0.5),
    ("query", {"query": '"a"', "time": T}, 200, lambda d: d == {"resultType": "string", "result": [T, "a"]}),
    ("query", {"query": "m[1m]", "time": T + 30}, 200,
     lambda d: d["resultType"] == "matrix" and d["result"][0]["values"] == [[T, "0"], [T + 30, "10"]]),
    ("query", {"query": "1/0", "time": T}, 200, lambda d: d["result"][1] == "+Inf"),
    ("query", {"query": "0/0", "time": T}, 200, lambda d: d["result"][1] == "NaN"),
    ("query", {"query": "m", "time": T, "limit": 2}, 200, lambda d: len(d["result"]) == 2),
    ("query", {"query": "m", "time": T, "limit": 0}, 200, lambda d: len(d["result"]) == 3),
    ("query", {"query": "m", "time": T + 100, "lookback_delta": "1m"}, 200, lambda d: d["result"] == []),
    ("query", {"query": "m", "time": T + 100, "lookback_delta": "90"}, 200, lambda d: len(d["result"]) == 3),
    ("query", {"query": "m", "time": T, "timeout": "10s"}, 200, lambda d: "stats" not in d),
    ("query", {"query": "m", "time": T, "stats": "all"}, 200, lambda d: "timings" in d["stats"]),
    ("query", {"query": "m", "time": "now"}, 400, ("bad_data", 'invalid parameter "time": ')),
    ("query", {"query": "m", "timeout": "x"}, 400, ("bad_data", 'invalid parameter "timeout": ')),
    ("query", {"query": "m", "lookback_delta": "x"}, 400, ("bad_data", "lookback")),
    ("query", {"query": "m", "limit": "-1"}, 400, ("bad_data", 'invalid parameter "limit": ')),
    ("query", {"query": "m", "limit": "x"}, 400, ("bad_data", 'invalid parameter "limit": ')),
    ("query", {"query": "m +"}, 400, ("bad_data", 'invalid parameter "query": 1:4: parse error: ')),
    ("query", {}, 400, ("bad_data", 'invalid parameter "query": ')),
    ("query", {"query": "m == on(job) group_left m", "time": T}, 422, ("execution", "")),
    ("query", {"query": "m", "time": T, "timeout": "0"}, 503, ("timeout", "")),
    ("query_range", RANGE, 200, lambda d: d["resultType"] == "matrix" and len(d["result"][0]["values"]) == 3),
    ("query_range", {**RANGE, "step": "30s"}, 200, lambda d: len(d["result"][0]["values"]) == 3),
    ("query_range", {**RANGE, "step": "0.5m"}, 400, ("bad_data", 'invalid parameter "step": cannot parse')),
    ("query_range", {**RANGE, "limit": 1}, 200, lambda d: len(d["result"]) == 1),
    ("query_range", {**RANGE, "step": "0"}, 400, ("bad_data", "zero or negative query resolution step")),
    ("query_range", {**RANGE, "step": "-1"}, 400, ("bad_data", "zero or negative query resolution step")),
    ("query_range", {**RANGE, "end": T - 1}, 400, ("bad_data", "end timestamp must not be before start time")),
    ("query_range", {**RANGE, "start": T - 11000, "end": T, "step": 1}, 200, lambda d: True),
    ("query_range", {**RANGE, "start": T - 11001, "end": T, "step": 1}, 400,
     ("bad_data", "exceeded maximum resolution of 11,000 points per timeseries.")),
    ("query_range", {"query": "m", "end": T, "step": 1}, 400, ("bad_data", 'invalid parameter "start": cannot parse ""')),
    ("query_range", {"query": "m", "start": T, "step": 1}, 400, ("bad_data", 'invalid parameter "end": cannot parse ""')),
    ("query_range", {"query": "m", "start": T, "end": T}, 400, ("bad_data", 'invalid parameter "step": cannot parse ""')),
    ("query_range", {**RANGE, "query": "m[1m]"}, 400, ("bad_data", "invalid expression type")),
    ("series", {"match[]": ["m", "other"]}, 200, count(4)),
    ("series", {"match[]": ["m", '{job="x"}']}, 200, count(3)),
    ("series", {"match[]": "m", "limit": 2}, 200, count(2)),
    ("series", {"match[]": "m", "end": T - 86400}, 200, count(0)),
    ("series", {}, 400, ("bad_data", "no match[] parameter provided")),
    ("series", {"match[]": "{}"}, 400, ("bad_data", "must contain at least one non-empty matcher")),
    ("series", {"match[]": '{a=~".*"}'}, 400, ("bad_data", "must contain at least one non-empty matcher")),
    ("series", {"match[]": "m", "start": "x"}, 400, ("bad_data", 'invalid parameter "start": ')),
    ("series", {"match[]": "m", "limit": "x"}, 400, ("bad_data", 'invalid parameter "limit": ')),
    ("labels", {}, 200, lambda d: d == ["__name__", "dotted.name", "i", "job"]),
    ("labels", {"match[]": "other"}, 200, lambda d: d == ["__name__", "dotted.name"]),
    ("labels", {"limit": 1}, 200, lambda d: d == ["__name__"]),
    ("labels", {"match[]": "{}"}, 400, ("bad_data", "must contain at least one non-empty matcher")),
    ("labels", {"match[]": "m["}, 400, ("bad_data", "parse error")),
    ("query_exemplars", {"query": "m", "start": T, "end": T + 60}, 200, lambda d: d == []),
    ("query_exemplars", {"query": "m", "start": T, "end": T - 1}, 400, ("bad_data", "end timestamp must not be before start")),
    ("query_exemplars", {"query": "("}, 400, ("bad_data", "parse error")),
    ("format_query", {"query": "sum(m)by(job)"}, 200, lambda d: d == "sum by (job) (m)"),
    ("format_query", {"query": "("}, 400, ("bad_data", 'invalid parameter "query": ')),
    ("parse_query", {"query": "m"}, 200, lambda d: d["type"] == "vectorSelector"),
    ("parse_query", {}, 400, ("bad_data", 'invalid parameter "query": ')),
]
GET_ONLY = [
    ("label/i/values", {}, 200, lambda d: d == ["0", "1", "2"]),
    ("label/i/values", {"match[]": 'm{i!="1"}'}, 200, lambda d: d == ["0", "2"]),
    ("label/i/values", {"limit": 1}, 200, lambda d: d == ["0"]),
    ("label/U__dotted_2e_name/values", {}, 200, lambda d: d == ["v"]),
    ("label/dotted.name/values", {}, 200, lambda d: d == ["v"]),
    ("label/none/values", {}, 200, lambda d: d == []),
    ("label/%FF/values", {}, 400, ("bad_data", "invalid label name")),
    ("metadata", {}, 200, lambda d: isinstance(d, dict)),
    ("metadata", {"limit": "x"}, 400, ("bad_data", "limit")),
    ("targets", {}, 200, lambda d: d == {"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {}}),
    ("targets", {"state": "active"}, 200, lambda d: d["activeTargets"] == []),
    ("targets/metadata", {}, 404, ("not_found", "specified metadata not found")),
    ("targets/metadata", {"match_target": "{"}, 400, ("bad_data", "match_target")),
    ("scrape_pools", {}, 200, lambda d: d == {"scrapePools": []}),
    ("rules", {}, 200, lambda d: d == {"groups": []}),
    ("rules", {"type": "x"}, 400, ("bad_data", 'not supported value "x"')),
    ("alerts", {}, 200, lambda d: d == {"alerts": []}),
    ("alertmanagers", {}, 200, lambda d: d == {"activeAlertmanagers": [], "droppedAlertmanagers": []}),
    ("notifications", {}, 200, lambda d: d == []),
    ("features", {}, 200, lambda d: d["promql"]["at_modifier"] is True),
    ("status/config", {}, 200, lambda d: "yaml" in d),
    ("status/flags", {}, 200, lambda d: d["query.lookback-delta"] == "5m"),
    ("status/runtimeinfo", {}, 200, lambda d: d["reloadConfigSuccess"] is True and d["timeSeriesCount"] == 4),
    ("status/buildinfo", {}, 200, lambda d: re.match(r"3\.\d+\.\d+$", d["version"])),
    ("status/tsdb", {}, 200, lambda d: d["headStats"]["numSeries"] == 4 and
     d["seriesCountByMetricName"][0] == {"name": "m", "value": 3}),
    ("status/tsdb", {"limit": 1}, 200, lambda d: len(d["labelValueCountByLabelName"]) == 1),
    ("status/tsdb", {"limit": 0}, 400, ("bad_data", "limit must be a positive number")),
    ("status/tsdb", {"limit": 10001}, 400, ("bad_data", "limit")),
    ("status/tsdb/blocks", {}, 200, lambda d: "blocks" in d),
    ("status/walreplay", {}, 200, lambda d: set(d) == {"min", "max", "current"}),
]


def check(reply, what, status, want):
    assert reply.status == status, (what, reply.status, reply.text[:500])
    assert reply.headers["Content-Type"] == "application/json", (what, reply.headers["Content-Type"])
    body = reply.json
    if status == 200:
        assert body["status"] == "success" and want(body["data"]), (what, body)
    else:
        kind, text = want
        assert set(body) == {"status", "errorType", "error"} and body["status"] == "error", (what, body)
        assert body["errorType"] == kind and text in body["error"], (what, body)


@test
def every_row_by_get_and_post():
    with filled() as s:
        for path, params, status, want in BOTH + GET_ONLY:
            check(s.get("/api/v1/" + path, **params), ("GET", path, params), status, want)
        for path, params, status, want in BOTH:
            body = urllib.parse.urlencode(params, doseq=True).encode()
            check(s.post("/api/v1/" + path, body, FORM), ("POST", path, params), status, want)
        for path in {row[0] for row in GET_ONLY}:
            reply = s.post("/api/v1/" + path, b"", FORM)
            assert reply.status == 405 and "GET" in reply.headers["Allow"], (path, reply.status)


@test
def a_form_goes_before_the_query_string():
    with filled() as s:
        reply = s.post(f"/api/v1/query?query=2&time={T}", b"query=1", FORM)
        assert reply.json["data"]["result"] == [T, "1"], reply.text
        reply = s.post("/api/v1/series?match[]=m", b"match[]=other", FORM)
        assert len(reply.json["data"]) == 4, reply.text


@test
def what_is_cut_is_told():
    with filled() as s:
        rows = [("query", {"query": "m", "time": T}), ("query_range", RANGE), ("series", {"match[]": "m"}),
                ("labels", {}), ("label/i/values", {})]
        for path, params in rows:
            whole = s.get("/api/v1/" + path, **params).json
            cut = s.get("/api/v1/" + path, **params, limit=2).json
            exact = s.get("/api/v1/" + path, **params, limit=4 if path == "labels" else 3).json
            assert "warnings" not in whole and whole == exact, (path, whole, exact)
            assert cut["warnings"] == ["results truncated due to limit"], (path, cut)
        odd = s.get("/api/v1/query", query="1", stats="x").json
        assert "stats" in odd["data"] and "deprecated" in odd["warnings"][0], odd


def raw(s, method, path, headers):
    """A request whose answer is not decoded."""
    connection = http.client.HTTPConnection("127.0.0.1", s.port, timeout=PATIENCE_S)
    connection.request(method, path, headers=headers)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply, body


def unzstd(body):
    program = need("zstd")
    return subprocess.run([program, "-dc"], input=body, capture_output=True, check=True).stdout


@test
def answers_are_packed_as_the_client_likes():
    big = "/api/v1/query_range?" + urllib.parse.urlencode(
        {"query": "vector(time())", "start": T - 11000, "end": T, "step": 1})
    small = "/api/v1/query?query=1"
    with filled() as s:
        plain, body = raw(s, "GET", big, {})
        assert plain.getheader("Content-Encoding") is None and len(body) > 256 * 1024, len(body)
        rows = [("gzip", "gzip", gzip.decompress), ("deflate, gzip;q=0.5", "gzip", gzip.decompress),
                ("zstd", "zstd", unzstd), ("gzip, deflate, br, zstd", "zstd", unzstd),
                ("gzip;q=0", None, bytes), ("br", None, bytes), ("identity", None, bytes)]
        for accept, coding, unpack in rows:
            reply, packed = raw(s, "GET", big, {"Accept-Encoding": accept})
            assert reply.getheader("Content-Encoding") == coding, (accept, reply.getheaders())
            assert "Accept-Encoding" in reply.getheader("Vary"), reply.getheaders()
            assert unpack(packed) == body, accept
            assert coding is None or len(packed) * 3 < len(body), (accept, len(packed))
        reply, _ = raw(s, "GET", small, {"Accept-Encoding": "gzip, zstd"})
        assert reply.getheader("Content-Encoding") is None, reply.getheaders()


def columns(body):
    """Reads docs/formats/columns.md: (envelope, [(labels, [(seconds, value)])])."""
    assert body[:8] == b"NNCOLS01" and len(body) % 8 == 0, body[:8]
    start, step, steps, series, texts, said = struct.unpack_from("<qqIIII", body, 8)
    at = 40 + said
    words, out = [], []
    for _ in range(texts):
        n, = struct.unpack_from("<I", body, at)
        words.append(body[at + 4:at + 4 + n].decode())
        at += 4 + n
    at = (at + 7) // 8 * 8
    for _ in range(series):
        labels, kind, n, _ = struct.unpack_from("<IIII", body, at)
        ids = struct.unpack_from(f"<{2 * labels}I", body, at + 16)
        at += 16 + 8 * labels
        present = list(range(steps))
        if n < steps:
            bits = body[at:at + (steps + 7) // 8]
            present = [i for i in present if bits[i // 8] >> i % 8 & 1]
            at = (at + len(bits) + 7) // 8 * 8
        values = struct.unpack_from(f"<{1 if kind == 1 else n}d", body, at)
        at += 8 * len(values)
        out.append(({words[ids[i]]: words[ids[i + 1]] for i in range(0, len(ids), 2)},
                    [((start + i * step) / 1000, values[0 if kind == 1 else k]) for k, i in enumerate(present)]))
    assert at == len(body), (at, len(body))
    return json.loads(body[40:40 + said]), out


@test
def range_queries_may_be_answered_in_columns():
    kind = "application/vnd.nunchi.columns"
    with filled() as s:
        for query in ["m", "m > 1", "vector(1)", "m / 0", "nothing", "sum by (dotted.name) (other)", "m or other",
                      "rate(m[1m])", "topk(1, m)"]:
            asked = {**RANGE, "query": query, "end": T + 600, "lookback_delta": "1m", "stats": "true"}
            plain = s.get("/api/v1/query_range", **asked)
            if plain.status != 200:  # a name that needs quotes: errors stay JSON
                assert s.get("/api/v1/query_range", headers={"Accept": kind}, **asked).json == plain.json
                continue
            reply = s.get("/api/v1/query_range", headers={"Accept": kind + ", application/json;q=0.9"}, **asked)
            assert reply.headers["Content-Type"] == kind, reply.headers
            envelope, series = columns(reply.body)
            want = plain.json
            rows = want["data"].pop("result")
            same = [(r["metric"], [(t, float(v)) for t, v in r["values"]]) for r in rows]
            assert repr([(sorted(m.items()), v) for m, v in series]) == \
                repr([(sorted(m.items()), [(float(t), v) for t, v in v]) for m, v in same]), query  # a NaN is one
            want["data"]["stats"] = envelope["data"]["stats"]
            assert envelope == want, (envelope, want)
        cut, series = columns(s.get("/api/v1/query_range", headers={"Accept": kind}, **RANGE, limit=1).body)
        assert len(series) == 1 and cut["warnings"] == ["results truncated due to limit"], cut
        for path, params in [("query", {"query": "m"}), ("query_range", {"query": "("}), ("labels", {})]:
            reply = s.get("/api/v1/" + path, headers={"Accept": kind}, **params)
            assert reply.headers["Content-Type"] == "application/json", (path, reply.headers)


@test
def pages_of_other_sites_may_read_and_not_more():
    with filled("--web.enable-lifecycle", "--web.enable-admin-api") as s:
        other = {"Origin": "http://other.example"}
        for path in ["query?query=1", "labels", "series?match[]=m", "label/i/values", "status/buildinfo", "rules",
                     "metadata", "targets", "query?query=("]:
            reply, _ = raw(s, "GET", "/api/v1/" + path, other)
            assert reply.getheader("Access-Control-Allow-Origin") == "*", (path, reply.getheaders())
        for path in ["status/config", "status/nunchi"]:
            reply, _ = raw(s, "GET", "/api/v1/" + path, other)
            assert reply.getheader("Access-Control-Allow-Origin") is None, path
        reply, _ = raw(s, "OPTIONS", "/api/v1/query", {**other, "Access-Control-Request-Method": "POST"})
        assert reply.status == 204 and "POST" in reply.getheader("Access-Control-Allow-Methods")
        for path in ["/-/reload", "/-/quit", "/api/v1/write", "/api/v1/otlp/v1/metrics", "/api/v1/admin/tsdb/snapshot"]:
            reply, _ = raw(s, "POST", path, other)
            assert reply.status == 403, (path, reply.status)
            reply, _ = raw(s, "OPTIONS", path, {**other, "Access-Control-Request-Method": "POST"})
            assert reply.getheader("Access-Control-Allow-Origin") is None, path
        reply, _ = raw(s, "GET", "/api/v1/nothing", {})
        assert reply.status == 404


@test
def a_stop_can_be_asked_for():
    with Server("--no-watch.host") as s:
        assert s.post("/-/quit").status == 403
    with Server("--no-watch.host", "--web.enable-lifecycle") as s:
        assert s.get("/-/quit").status == 405
        reply = s.post("/-/quit", method="PUT")
        assert reply.status == 200 and "Goodbye" in reply.text, reply.text
        assert s.process.wait(PATIENCE_S) == 0


@test
def a_large_answer_needs_no_large_buffer():
    """The result is in memory, 16 bytes a point; its text is 37 and must not be."""
    old = T - 20000
    params = {"query": "x / 3", "start": old + 0.001, "end": old + 11000, "step": 1, "lookback_delta": "4h"}
    with Server("--no-watch.host") as s:
        rows = [({"__name__": "x", "i": str(i)}, [(i / 7, old * 1000)]) for i in range(300)]
        assert remote_write(s.url, rows).status == 204
        with open(f"/proc/{s.process.pid}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")  # the peak starts again from here
        before = resident_bytes(s.process.pid, "VmHWM")
        connection = http.client.HTTPConnection("127.0.0.1", s.port, timeout=PATIENCE_S)
        connection.request("GET", "/api/v1/query_range?" + urllib.parse.urlencode(params))
        reply = connection.getresponse()
        assert reply.status == 200
        total, tail = 0, b""
        while piece := reply.read(1 << 16):
            total += len(piece)
            tail = piece
        connection.close()
        grew = resident_bytes(s.process.pid, "VmHWM") - before
        print(f"# an answer of {total >> 20} MiB took {grew >> 20} MiB")
        assert tail.endswith(b"]}}") and total > 100 << 20, total
        assert SANITIZED or grew < 80 << 20, grew


main()
