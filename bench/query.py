#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Median latency of some queries over 10,000 series with an hour of samples."""
import http.client
import statistics
import time
import urllib.parse

from common import peers, running, table
from harness import WRITE_HEADERS, series, snappy

SERIES, SAMPLES, STEP_S, REPEATS, BATCH = 10000, 240, 15, 15, 20
QUERIES = (
    ("instant selector", 'bench_metric_7', False),
    ("sum by (rate), instant", "sum by (job) (rate(bench_metric_7[5m]))", False),
    ("sum by (rate), 1 h", 'sum by (mode) (rate({__name__=~"bench_metric_[0-9]"}[5m]))', True),
    ("max_over_time, 1 h", "max_over_time(bench_metric_7[10m])", True),
    ("topk of count", 'topk(10, count by (__name__) ({__name__=~".+"}))', False),
)


def fill(peer, start_s):
    connection = http.client.HTTPConnection("127.0.0.1", peer.port)
    labels = [{"__name__": f"bench_metric_{i % 100}", "instance": f"host-{i % 50}:9100",
               "job": "node", "device": f"device{i // 100}",
               "mode": ("idle", "user", "system")[i % 3]} for i in range(SERIES)]
    # In order of time, as samples come: Prometheus refuses what is an hour older than its newest.
    for first in range(0, SAMPLES, BATCH):
        rows = b"".join(series(ls, [(float(n * (i % 13 + 3)), (start_s + n * STEP_S) * 1000)
                                    for n in range(first, first + BATCH)])
                        for i, ls in enumerate(labels))
        connection.request("POST", "/api/v1/write", snappy(rows), WRITE_HEADERS)
        reply = connection.getresponse()
        body = reply.read()
        if reply.status not in (200, 204):
            raise SystemExit(f"{peer.name}: write gave {reply.status}: {body[:200]!r}")
    connection.close()


def ask(connection, expr, is_range, end):
    form = {"query": expr, "time": end}
    path = "/api/v1/query"
    if is_range:
        form = {"query": expr, "start": end - 3600, "end": end, "step": 60}
        path = "/api/v1/query_range"
    began = time.monotonic()
    connection.request("POST", path, urllib.parse.urlencode(form),
                       {"Content-Type": "application/x-www-form-urlencoded"})
    reply = connection.getresponse()
    body = reply.read()
    if reply.status != 200:
        raise SystemExit(f"{expr}: {reply.status} {body[:200]!r}")
    return (time.monotonic() - began) * 1000


start = int(time.time()) - SAMPLES * STEP_S
figures = {}
names = []
for name, command in peers("--no-watch.host"):
    names.append(name)
    with running(name, command) as peer:
        fill(peer, start)
        connection = http.client.HTTPConnection("127.0.0.1", peer.port)
        for title, expr, is_range in QUERIES:
            times = [ask(connection, expr, is_range, start + SAMPLES * STEP_S)
                     for _ in range(REPEATS)]
            figures.setdefault(title, []).append(f"{statistics.median(times):.1f}")
table(f"median latency in ms, {SERIES} series, {SAMPLES} samples each", ("query", *names),
      [(title, *values) for title, values in figures.items()])
