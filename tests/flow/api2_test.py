#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the API has beside queries: features, formatting, trees, federation, empty lists."""
import contextlib
import http.server
import os
import struct
import subprocess
import tempfile
import threading
import time

from harness import NUNCHI, WRITE_HEADERS, Server, field, free_port, http as request, label, main, \
    remote_write, snappy, test, varint, wait_for

NOW_S = int(time.time()) // 60 * 60


def refused(*args):
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([NUNCHI, "server", f"--storage.path={directory}", *args,
                               f"--web.listen-address=127.0.0.1:{free_port()}"],
                              capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done
    return done.stderr


@test
def features_open_parts_of_the_language():
    queries = ("limitk(1, vector(1))", "rate(up[5m] smoothed)", "up + fill(0) up")
    with Server("--no-watch.host") as s:
        for query in queries:
            assert s.get("/api/v1/query", query=query).status == 400, query
    with Server("--no-watch.host", "--enable-feature=promql-experimental-functions,promql-extended-range-selectors",
                "--enable-feature", "promql-binop-fill-modifiers",
                "--enable-feature=search-api,search-api") as s:
        for query in queries:
            reply = s.get("/api/v1/query", query=query)
            assert reply.status == 200, reply.text
        assert s.output().count("search-api is not built yet") == 1, s.output()
        flags = s.get("/api/v1/status/flags").json["data"]
        assert "promql-binop-fill-modifiers,search" in flags["enable-feature"], flags


@test
def features_that_cannot_be_had_are_refused():
    out = refused("--enable-feature=promql-experimental-function")
    assert 'did you mean "promql-experimental-functions"' in out, out
    assert "--enable-feature" in out, out


@test
def extended_selectors_and_start_times_are_enabled():
    with Server("--no-watch.host", "--enable-feature=promql-extended-range-selectors",
                "--enable-feature=use-start-timestamps") as s:
        reply = s.get("/api/v1/query", query="rate(nothing_total[5m] anchored)")
        assert reply.status == 200 and reply.json["data"]["result"] == [], reply.text
        assert "not built" not in s.output(), s.output()


def native(name, count, t):
    """A remote write series of one histogram: count observations in (1, 2], a sum of 1.5 each, and
    one in the zero bucket of width 0.5."""
    h = (b"\x11" + struct.pack("<d", count + 1) + b"\x19" + struct.pack("<d", 1.5 * count) +
         b"\x20\x00" + b"\x29" + struct.pack("<d", 0.5) + b"\x39" + struct.pack("<d", 1) +
         field(11, b"\x08\x02\x10\x01") + field(13, struct.pack("<d", count)) +
         b"\x78" + varint(t))
    return field(1, label("__name__", name) + field(4, h))


@test
def native_histograms_are_answered():
    t = int(time.time()) // 60 * 60 * 1000 - 60000
    with Server("--no-watch.host") as s:
        body = snappy(native("h", 4, t) + native("h", 8, t + 30000))
        reply = request(s.url + "/api/v1/write", data=body, headers=WRITE_HEADERS)
        assert reply.status in (200, 204), reply.text
        one = s.get("/api/v1/query", query="h", time=t / 1000).json["data"]["result"]
        assert one == [{"metric": {"__name__": "h"}, "histogram": [t // 1000, {
            "count": "5", "sum": "6",
            "buckets": [[3, "-0.5", "0.5", "1"], [0, "1", "2", "4"]]}]}], one
        many = s.get("/api/v1/query_range", query="h", start=t / 1000, end=t / 1000 + 30,
                     step=30).json["data"]["result"]
        assert "values" not in many[0] and len(many[0]["histograms"]) == 2, many
        assert many[0]["histograms"][1] == [t // 1000 + 30, {
            "count": "9", "sum": "12",
            "buckets": [[3, "-0.5", "0.5", "1"], [0, "1", "2", "8"]]}], many
        median = s.get("/api/v1/query", query="histogram_quantile(0.5, increase(h[1m]))",
                       time=t / 1000 + 30).json["data"]["result"]
        assert abs(float(median[0]["value"][1]) - 2 ** 0.5) < 1e-9, median


@test
def queries_are_formatted_and_shown_as_trees():
    with Server("--no-watch.host") as s:
        for ask in (s.get, lambda path, query: s.post(path, {"query": query})):
            assert ask("/api/v1/format_query", query="sum(foo)by(a)").json["data"] == \
                "sum by (a) (foo)"
            tree = ask("/api/v1/parse_query", query="sum(foo)by(a)").json["data"]
            assert tree["type"] == "aggregation" and tree["grouping"] == ["a"], tree
            assert tree["expr"]["matchers"] == [
                {"name": "__name__", "value": "foo", "type": "="}], tree
        long = "sum by (a) (rate(first_of_two_metrics_with_long_names[5m]) + " \
               "rate(second_of_two_metrics_with_long_names[5m]))"
        pretty = s.get("/api/v1/format_query", query=long).json["data"]
        assert pretty == "sum by (a) (\n  " + long[len("sum by (a) ("):-1] + "\n)", pretty
        deep = s.get("/api/v1/parse_query", query="abs(" * 90 + "x" + ")" * 90)
        node, levels = deep.json["data"], 0
        while node["type"] == "call":
            node, levels = node["args"][0], levels + 1
        assert levels == 90 and node["name"] == "x"
        for path in ("format_query", "parse_query", "query_exemplars"):
            reply = s.get("/api/v1/" + path, query="sum(")
            assert reply.status == 400 and "1:5: parse error" in reply.json["error"], reply.text


@test
def lists_that_are_empty_have_their_shape():
    with Server("--no-watch.host") as s:
        for path, params, data in (
                ("query_exemplars", {"query": "up", "start": 1, "end": 2}, []),
                ("rules", {}, {"groups": []}),
                ("rules", {"type": "alert", "exclude_alerts": "true", "match[]": "{a='b'}",
                           "group_limit": 3}, {"groups": []}),
                ("alerts", {}, {"alerts": []}),
                ("alertmanagers", {}, {"activeAlertmanagers": [], "droppedAlertmanagers": []}),
                ("scrape_pools", {}, {"scrapePools": []}),
                ("status/walreplay", {}, {"min": 0, "max": 0, "current": 0}),
        ):
            reply = s.get("/api/v1/" + path, **params)
            assert reply.status == 200 and reply.json["data"] == data, (path, reply.text)
        for path, params in (("query_exemplars", {"query": "up", "start": 2, "end": 1}),
                             ("query_exemplars", {}),
                             ("rules", {"type": "both"}), ("rules", {"exclude_alerts": "maybe"}),
                             ("rules", {"match[]": "}"}), ("rules", {"group_limit": "0"}),
                             ("rules", {"group_next_token": "x"})):
            reply = s.get("/api/v1/" + path, **params)
            assert reply.status == 400 and reply.json["errorType"] == "bad_data", (path, reply.text)


@test
def features_say_what_is_on():
    with Server("--no-watch.host") as s:
        off = s.get("/api/v1/features").json["data"]
        assert off["promql"]["subqueries"] and off["promql"]["duration_expr"], off
        assert not off["promql"]["anchored"], off
        assert off["promql_functions"]["rate"] and not off["promql_functions"]["mad_over_time"]
        assert not off["api"]["lifecycle"] and not off["otlp_receiver"]["native_delta_ingestion"]
        assert not off["scrape"]["start_timestamp_zero_ingestion"]
    with Server("--no-watch.host", "--web.enable-lifecycle",
                "--enable-feature=promql-extended-range-selectors,promql-experimental-functions",
                "--enable-feature=created-timestamp-zero-ingestion,otlp-native-delta-ingestion") as s:
        on = s.get("/api/v1/features").json["data"]
        assert on["promql"]["anchored"] and on["promql_functions"]["mad_over_time"], on
        assert on["promql_operators"]["limitk"] and on["api"]["lifecycle"]
        assert on["otlp_receiver"]["native_delta_ingestion"]
        assert on["scrape"]["start_timestamp_zero_ingestion"]


@test
def metricsql_is_there_when_asked_for():
    queries = ("m default 0", "rate(m)", "with (x = m) x", 'label_set(m, "a", "b")', "1Ki")
    samples = [({"__name__": "m", "job": "a"}, [(float(i), (NOW_S - 600 + 10 * i) * 1000)
                                                for i in range(60)])]
    with Server("--no-watch.host") as s:
        for query in queries:
            reply = s.get("/api/v1/query", query=query)
            assert reply.status == 400 and "--enable-feature=metricsql" in reply.text, reply.text
        assert not s.get("/api/v1/features").json["data"]["promql"]["metricsql"]
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("global:\n  scrape_interval: 10s\n")
        with Server(f"--config.file={path}", "--no-watch.host",
                    "--enable-feature=metricsql") as s:
            remote_write(s.url, samples)
            for query in queries:
                assert s.get("/api/v1/query", query=query, time=NOW_S - 60).status == 200, query
            assert s.get("/api/v1/features").json["data"]["promql"]["metricsql"]
            # no step: the lookback; a small step: four scrapes; a large one: itself
            assert s.query("increase(m)", time=NOW_S - 60) == s.query("increase(m[5m])",
                                                                     time=NOW_S - 60)
            for step, window in (("5", "40s"), ("120", "120s")):
                asked = {"start": NOW_S - 300, "end": NOW_S - 60, "step": step}
                short = s.get("/api/v1/query_range", query="increase(m)", **asked).json["data"]
                full = s.get("/api/v1/query_range", query=f"increase(m[{window}])", **asked)
                assert short["result"] == full.json["data"]["result"] != [], short
            text = 'WITH (w = {job="a"}) rate(m{w}) keep_metric_names if m{a="b" or job="a"}'
            shown = s.get("/api/v1/format_query", query=text).json["data"]
            assert shown == 'rate(m{job="a"}) keep_metric_names if m{a="b" or job="a"}', shown
            tree = s.get("/api/v1/parse_query", query=text).json["data"]
            assert tree["op"] == "if" and tree["lhs"]["keepMetricNames"], tree
            assert tree["lhs"]["args"][0]["implicitRange"], tree
            assert tree["rhs"]["orMatchers"][0][0]["value"] == "a", tree
            assert [(ls["__name__"], v) for ls, v in s.query(text, time=NOW_S - 60)] == [("m", 0.1)]


@test
def statistics_and_limits_are_taken():
    with Server("--no-watch.host") as s:
        remote_write(s.url, [({"__name__": "m", "i": str(i)}, [(1.0, NOW_S * 1000)])
                             for i in range(5)])
        reply = s.get("/api/v1/query", query="m", time=NOW_S, stats="all", limit=2).json
        assert len(reply["data"]["result"]) == 2 and reply["warnings"], reply
        assert reply["data"]["stats"]["samples"]["samplesRead"] >= 5, reply
        told = s.get("/api/v1/query", query="sum(m) * 2", time=NOW_S, explain="true").json["data"]
        top = told["explain"]
        assert top["expr"] == "sum(m) * 2" and top["rows"] == 1, top
        assert top["parts"][0]["parts"][0]["rows"] == 5 and top["totalTime"] >= 0, top


METRICS = """# HELP jobs_total Jobs done.
# TYPE jobs_total counter
jobs_total 3
# HELP wait_seconds How long a job waited.
# TYPE wait_seconds histogram
wait_seconds_bucket{le="+Inf"} 1
wait_seconds_sum 2
wait_seconds_count 1
"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = METRICS.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@contextlib.contextmanager
def scraping():
    """A server that scrapes one target and has external labels."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as target, \
            tempfile.TemporaryDirectory() as directory:
        threading.Thread(target=target.serve_forever, daemon=True).start()
        path = os.path.join(directory, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"""
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
  external_labels: {{zone: north, job: not this}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{target.server_port}"]}}]
  - job_name: gone
    static_configs: [{{targets: ["127.0.0.1:{free_port()}"]}}]
""")
        with Server(f"--config.file={path}") as s:
            wait_for("a scrape", lambda: s.query("jobs_total"))
            yield s, f"127.0.0.1:{target.server_port}"
        target.shutdown()


@test
def metadata_is_told_by_target():
    with scraping() as (s, address):
        path = "/api/v1/targets/metadata"
        rows = s.get(path).json["data"]
        target = {"instance": address, "job": "shop"}
        assert rows == [
            {"target": target, "metric": "jobs_total", "type": "counter", "help": "Jobs done.",
             "unit": ""},
            {"target": target, "metric": "wait_seconds", "type": "histogram",
             "help": "How long a job waited.", "unit": ""}], rows
        one = s.get(path, metric="jobs_total", match_target='{job="shop"}').json["data"]
        assert one == [{"target": target, "type": "counter", "help": "Jobs done.", "unit": ""}], one
        for params, status in (({"match_target": '{job="gone"}'}, 404), ({"metric": "nothing"}, 404),
                               ({"match_target": "{"}, 400), ({"limit": "x"}, 400)):
            assert s.get(path, **params).status == status, params
        assert s.get("/api/v1/scrape_pools").json["data"] == {"scrapePools": ["gone", "shop"]}


@test
def federation_gives_the_newest_samples_with_external_labels():
    with scraping() as (s, address):
        recent, old = (NOW_S - 120) * 1000, (NOW_S - 3600) * 1000
        remote_write(s.url, [({"__name__": "room", "a": "1"}, [(7.0, recent - 1000), (8.0, recent)]),
                             ({"__name__": "room", "a": "2"}, [(9.0, old)]),
                             ({"__name__": "aisle", "A": "z", "job": "x"}, [(1.5, recent)])])
        reply = s.get("/federate", **{"match[]": ["room", '{__name__=~"room|aisle"}']})
        assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4"), reply.headers
        assert reply.text == (
            "# TYPE aisle untyped\n"
            f'aisle{{A="z",job="x",instance="",zone="north"}} 1.5 {recent}\n'
            "# TYPE room untyped\n"
            f'room{{a="1",instance="",job="not this",zone="north"}} 8 {recent}\n'), reply.text
        om = s.get("/federate", {"Accept": "application/openmetrics-text; version=1.0.0"},
                   **{"match[]": "room"})
        assert f" 8.0 {recent // 1000}.000\n# EOF\n" in om.text, om.text
        up = s.get("/federate", **{"match[]": "up{job='shop'}"}).text
        assert f'up{{instance="{address}",job="shop",zone="north"}} 1 ' in up, up
        assert s.get("/federate", **{"match[]": "nothing"}).text == ""
        for params in ({}, {"match[]": "a + b"}, {"match[]": "{}"}):
            assert s.get("/federate", **params).status == 400, params


main()
