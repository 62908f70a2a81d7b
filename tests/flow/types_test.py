#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Native histograms and exemplars: by remote write from here and from Debian's Prometheus, which
scrapes a protobuf page; both servers are asked the same."""
import contextlib
import http.server
import os
import struct
import subprocess
import tempfile
import threading
import time

from harness import (Server, WRITE_HEADERS, field, free_port, http as get, label, main, need,
                     snappy, test, varint, wait_for)


def number(n, value):
    return varint(n << 3) + varint(value & (1 << 64) - 1)


def signed(n, value):
    return number(n, value << 1 ^ value >> 63)


def double(n, value):
    return varint(n << 3 | 1) + struct.pack("<d", value)


def span(n, offset, length):
    return field(n, signed(1, offset) + number(2, length))


def deltas(n, counts):
    steps = [c - p for c, p in zip(counts, [0] + counts[:-1])]
    return field(n, b"".join(varint((d << 1 ^ d >> 63) & (1 << 64) - 1) for d in steps))


def written_series(labels, *others):
    return field(1, b"".join(label(n, v) for n, v in sorted(labels.items())) + b"".join(others))


def integer_histogram(t_ms, counts, total):
    return field(4, number(1, sum(counts) + 2) + double(3, total) + signed(4, 1) +
                 double(5, 0.001) + number(6, 2) + span(11, 0, len(counts)) + deltas(12, counts) +
                 number(15, t_ms))


def float_histogram(t_ms):
    return field(4, double(2, 4.5) + double(3, -1.5) + signed(4, 0) + span(8, 1, 2) +
                 field(10, struct.pack("<dd", 3, 1.5)) + number(14, 3) + number(15, t_ms))


def custom_histogram(t_ms):
    return field(4, number(1, 6) + double(3, 9.0) + signed(4, -53) + span(11, 0, 3) +
                 deltas(12, [1, 2, 3]) + number(15, t_ms) +
                 field(16, struct.pack("<dd", 0.5, 2.5)))


def exemplar(trace, value, t_ms):
    return field(3, field(1, field(1, b"trace_id") + field(2, trace.encode())) +
                 double(2, value) + number(3, t_ms))


def write(s, *rows):
    return get(s.url + "/api/v1/write", data=snappy(b"".join(rows)), headers=WRITE_HEADERS)


def instant(url, query, at):
    reply = get(f"{url}/api/v1/query?query={query}&time={at}")
    assert reply.status == 200, reply.text
    return reply.json["data"]["result"]


def exemplars(url, query, start, end):
    reply = get(f"{url}/api/v1/query_exemplars?query={query}&start={start}&end={end}")
    assert reply.status == 200, reply.text
    return reply.json["data"]


@test
def what_remote_write_brings_is_read_back():
    now = int(time.time()) - 60
    t = now * 1000
    with tempfile.TemporaryDirectory() as directory:
        with Server("--no-watch.host", directory=directory) as s:
            reply = write(
                s,
                written_series({"__name__": "h", "kind": "integer"},
                               integer_histogram(t, [1, 0, 3], 12.5),
                               exemplar("abc", 1.25, t), exemplar("def", 2, t + 1)),
                written_series({"__name__": "h", "kind": "float"}, float_histogram(t)),
                written_series({"__name__": "h", "kind": "custom"}, custom_histogram(t)),
                # As Prometheus sends them: apart from the samples.
                written_series({"__name__": "h", "kind": "alone"}, exemplar("far", 7, t)))
            assert reply.status == 204, reply.text
            before = check_written(s, now)
        with Server("--no-watch.host", directory=directory) as s:
            assert check_written(s, now) == before
            bad = write(s, written_series({"__name__": "h"}, field(4, number(1, 7) + number(15, t))))
            assert bad.status == 400 and "its count is 7" in bad.text, bad.text


def check_written(s, now):
    rows = {r["metric"]["kind"]: r["histogram"][1] for r in instant(s.url, "h", now)}
    assert rows["integer"] == {
        "count": "6", "sum": "12.5",
        "buckets": [[3, "-0.001", "0.001", "2"], [0, "0.7071067811865475", "1", "1"],
                    [0, "1.414213562373095", "2", "3"]]}, rows["integer"]
    assert rows["float"] == {
        "count": "4.5", "sum": "-1.5",
        "buckets": [[1, "-4", "-2", "1.5"], [1, "-2", "-1", "3"]]}, rows["float"]
    assert rows["custom"]["count"] == "6" and rows["custom"]["sum"] == "9", rows["custom"]
    quantile = instant(s.url, "histogram_count(h)", now)
    assert sorted(r["value"][1] for r in quantile) == ["4.5", "6", "6"], quantile
    found = exemplars(s.url, "sum(rate(h[5m]))", now - 1, now + 1)
    assert [x["seriesLabels"]["kind"] for x in found] == ["alone", "integer"], found
    assert found[1]["exemplars"] == [
        {"labels": {"trace_id": "abc"}, "value": "1.25", "timestamp": now},
        {"labels": {"trace_id": "def"}, "value": "2", "timestamp": now + 0.001}], found
    assert exemplars(s.url, "h", now - 9, now - 1) == []
    return rows, found


# ---- Prometheus between a page and us ----

def page(n):
    """A family with a native histogram that grows, a counter with an exemplar."""
    pair = field(1, field(1, b"trace_id") + field(2, b"t%d" % n))
    instance = field(1, field(1, b"path") + field(2, b"/"))
    stamp = field(3, number(1, Page.start + n))
    counts = [n, 2 * n, 0, n + 1]
    native = (number(1, sum(counts)) + double(2, n * 0.75) + signed(5, 2) + double(6, 2.0 ** -128) +
              span(12, -1, 2) + span(12, 1, 2) + deltas(13, counts))
    counter = double(1, float(n)) + field(2, pair + double(2, 0.5) + stamp)
    families = [field(1, b"latency_seconds") + number(3, 4) + field(4, instance + field(7, native)),
                field(1, b"served_total") + number(3, 0) + field(4, instance + field(3, counter))]
    return b"".join(varint(len(f)) + f for f in families)


class Page(http.server.BaseHTTPRequestHandler):
    n = 0
    start = int(time.time()) - 100

    def do_GET(self):
        Page.n += 1
        body = page(Page.n)
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.google.protobuf; "
                         "proto=io.prometheus.client.MetricFamily; encoding=delimited")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def target():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@contextlib.contextmanager
def prometheus(directory, scrape_port, write_url):
    port = free_port()
    with open(os.path.join(directory, "prometheus.yml"), "w", encoding="ascii") as f:
        f.write(f"""
global: {{scrape_interval: 1s}}
scrape_configs:
- {{job_name: page, static_configs: [{{targets: ["127.0.0.1:{scrape_port}"]}}]}}
remote_write:
- url: {write_url}/api/v1/write
  send_exemplars: true
  send_native_histograms: true
  queue_config: {{batch_send_deadline: 1s}}
""")
    process = subprocess.Popen(
        [need("prometheus"), f"--config.file={directory}/prometheus.yml",
         f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{port}",
         "--enable-feature=native-histograms,exemplar-storage"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def config(directory, scrape_port, extra=""):
    path = os.path.join(directory, "prometheus.yml")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"""
global: {{scrape_interval: 1s, scrape_native_histograms: true}}
storage: {{exemplars: {{max_exemplars: 50}}}}
scrape_configs:
- {{job_name: page, {extra}static_configs: [{{targets: ["127.0.0.1:{scrape_port}"]}}]}}
""")
    return path


@test
def a_protobuf_page_is_scraped():
    with tempfile.TemporaryDirectory() as directory, target() as port:
        with Server("--no-watch.host", "--config.file", config(directory, port)) as s:
            wait_for("histograms", lambda: instant(s.url, "latency_seconds", ""))
            row = instant(s.url, "latency_seconds", "")[0]
            counts = [b[3] for b in row["histogram"][1]["buckets"]]
            n = int(counts[0])
            assert counts == [str(n), str(2 * n), str(n + 1)], row
            assert row["metric"]["path"] == "/" and row["metric"]["job"] == "page", row
            found = exemplars(s.url, "served_total", Page.start, Page.start + 1000)
            assert {"labels": {"trace_id": f"t{n}"}, "value": "0.5",
                    "timestamp": Page.start + n} in found[0]["exemplars"], found
            assert "nunchi_tsdb_exemplars_total" in s.get("/metrics").text
        extra = "always_scrape_classic_histograms: true, "
        with Server("--no-watch.host", "--config.file", config(directory, port, extra)) as s:
            wait_for("buckets", lambda: instant(s.url, "latency_seconds_bucket", ""))
            assert instant(s.url, "latency_seconds", "")


@test
def what_prometheus_sends_is_what_prometheus_says():
    need("prometheus")
    with tempfile.TemporaryDirectory() as directory, target() as port:
        with Server("--no-watch.host") as s, prometheus(directory, port, s.url) as peer:
            def arrived():
                with contextlib.suppress(OSError):
                    rows = instant(s.url, "latency_seconds", "")
                    return rows and int(rows[0]["histogram"][1]["count"]) >= 4 * 5 + 1
            wait_for("histograms", arrived)
            at = int(time.time()) - 1
            for query in ("latency_seconds", "served_total", "histogram_count(latency_seconds)",
                          "histogram_sum(latency_seconds)"):
                wait_for(query, lambda q=query: instant(s.url, q, at) == instant(peer, q, at))
            span_s = Page.start, Page.start + 5
            want = exemplars(peer, "served_total", *span_s)
            assert want and want[0]["exemplars"], want
            wait_for("exemplars", lambda: exemplars(s.url, "served_total", *span_s) == want)


main()
