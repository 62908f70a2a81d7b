#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reloads under load: nothing fails, nothing that stays the same is disturbed.

usage: tests/flow/reload_test.py [--reloads N]

Every second configuration is broken and must be refused. The others add and remove targets and
change one that is not watched here; the rest are scraped every 100 ms all the time.
"""
import argparse
import http.client
import http.server
import os
import tempfile
import threading
import time

from harness import WRITE_HEADERS, Server, main, resident_bytes, series, snappy, test, wait_for

parser = argparse.ArgumentParser()
parser.add_argument("--reloads", type=int, default=200)
options = parser.parse_args()

TARGETS, SERIES = 20, 20
UP = 'count(last_over_time(up{job=~"steady.*"}[1m]) >= 0)'  # that time-outs of a busy machine leave alone
GROWTH_BYTES = 32 << 20  # allowed from the first tenth to the end: samples are stored meanwhile
BROKEN = ("scrape_configs: [", "scrape_configs: [{job_name: a}, {job_name: a}]\n", "nonsense: 1\n",
          "scrape_configs: [{job_name: a, relabel_configs: [{regex: '('}]}]\n")


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *args):
        pass

    def do_GET(self):
        body = b"".join(b'metric{n="%d"} %d\n' % (i, i) for i in range(SERIES))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def good(n, port):
    steady = "".join(f"- job_name: steady{i}\n  metrics_path: /{i}\n"
                     f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n" for i in range(TARGETS))
    other = (f"- job_name: changing\n  sample_limit: {n + 30}\n"
             f"  static_configs: [{{targets: ['127.0.0.1:{port}'], labels: {{round: '{n % 7}'}}}}]\n")
    return ("global: {scrape_interval: 100ms, scrape_timeout: 100ms}\nscrape_configs:\n"
            + steady + (other if n % 3 else ""))


class Writer(threading.Thread):
    """Remote writes without a pause; every answer counts."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.stop = port, threading.Event()
        self.statuses = {}

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        base, n = int(time.time() * 1000) - 3600_000, 0
        while not self.stop.is_set():
            n += 1
            body = b"".join(series({"__name__": "written", "n": str(i)}, [(float(n), base + n)])
                            for i in range(20))
            try:
                connection.request("POST", "/api/v1/write", snappy(body), WRITE_HEADERS)
                reply = connection.getresponse()
                reply.read()
                status = reply.status
            except (OSError, http.client.HTTPException) as e:
                status = repr(e)
                connection.close()
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self.stop.wait(0.005)


def counters(server):
    return {row: float(v) for row, v in (
        line.rsplit(" ", 1) for line in server.get("/metrics").text.split("\n")
        if line and line[0] != "#")}


def counter(server, row):
    return counters(server)[row]


def steady_counts(server, at, seconds):
    return dict((ls["job"], v) for ls, v in server.query(
        f'count_over_time(up{{job=~"steady.*"}}[{seconds}s])', time=at))


@test
def reloads_disturb_nothing():
    exporter = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    exporter.daemon_threads = True
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    port = exporter.server_address[1]
    with tempfile.TemporaryDirectory(prefix="nunchi-reload-") as directory:
        path = os.path.join(directory, "prometheus.yml")

        def write(text):
            with open(path + ".new", "w", encoding="utf-8") as f:
                f.write(text)
            os.rename(path + ".new", path)
        write(good(0, port))
        with Server(f"--config.file={path}", "--web.enable-lifecycle") as server:
            run(server, write, port)
    exporter.shutdown()
    exporter.server_close()


def run(server, write, port):
    writer = Writer(server.port)
    writer.start()
    wait_for("all targets", lambda: server.query(UP) == [({}, TARGETS)])
    began = time.time()
    early = 0
    for n in range(options.reloads):
        wrong = n % 2 == 1
        write(BROKEN[n // 2 % len(BROKEN)] if wrong else good(n, port))
        reply = server.post("/-/reload")
        assert reply.status == (400 if wrong else 200), (n, reply.status, reply.text)
        assert not wrong or "error" in reply.text, reply.text
        if n == options.reloads // 10:
            early = resident_bytes(server.process.pid)
        assert server.query(UP) == [({}, TARGETS)], n
        so_far = counter(server, "nunchi_scrapes_total")
        wait_for("scrapes", lambda: counter(server, "nunchi_scrapes_total") >= so_far + 5)
    ended = time.time()
    late = resident_bytes(server.process.pid)
    writer.stop.set()
    writer.join()
    assert set(writer.statuses) == {204}, writer.statuses
    check_scrapes(server, began, ended)
    assert late - early < GROWTH_BYTES, f"memory grew from {early} to {late} bytes"
    print(f"# {options.reloads} reloads in {ended - began:.1f} s, {writer.statuses[204]} writes, memory "
          f"{early / 1e6:.1f} -> {late / 1e6:.1f} MB")


def check_scrapes(server, began, ended):
    """As many scrapes as there were times, but for those that the server itself says it skipped."""
    rows = counters(server)
    skipped = rows["nunchi_scrapes_skipped_total"]
    counts = steady_counts(server, ended, int(ended - began) - 1)
    due = (int(ended - began) - 1) * 10
    assert len(counts) == TARGETS, counts
    for job, n in counts.items():
        assert n >= due - skipped - 2, f"{job}: {n} scrapes of {due}, {skipped:.0f} skipped over all"
    timeouts = rows['nunchi_scrape_failures_total{reason="timeout"}']
    rows_by_step = server.get("/api/v1/query_range", query='count({job=~"steady.*"})', start=began,
                              end=ended, step="100ms").json["data"]["result"][0]["values"]
    fewest = min(float(v) for _, v in rows_by_step)
    assert timeouts or fewest == TARGETS * (SERIES + 5), f"only {fewest} series at some moment"
    failed = [k for k, v in rows.items() if k.startswith("nunchi_scrape_failures") and v
              and "timeout" not in k]
    assert not failed, failed
    assert rows["nunchi_config_reloads_total"] == options.reloads


main()
