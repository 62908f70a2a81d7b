#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a remote write waits for its acknowledgement: idle, and with QUERIES endless queries.

One connection sends small requests one after the other, as a scraper that forwards would. Both
rounds take turns, so that a disk or a machine that changes its mind changes both.
"""
import http.client
import socket
import time
import urllib.parse

from common import peers, running, table
from harness import WRITE_HEADERS, series, snappy

QUERIES, SERIES, REQUESTS, ROUNDS = 20, 100, 100, 1
HISTORY_SERIES, HISTORY = 2000, 240
ENDLESS = 'max_over_time(sum by (mode) (rate(bench_history[1h]))[30d:1s])'


def body(name, n, start_ms, samples=1, first=0):
    return snappy(b"".join(series({"__name__": name, "i": str(first + i), "mode": str(i % 5)},
                                  [(float(i * k), start_ms + k * 15000) for k in range(samples)])
                           for i in range(n)))


def post(connection, data):
    began = time.monotonic()
    connection.request("POST", "/api/v1/write", data, WRITE_HEADERS)
    reply = connection.getresponse()
    text = reply.read()
    if reply.status not in (200, 204):
        raise SystemExit(f"write gave {reply.status}: {text[:200]!r}")
    return (time.monotonic() - began) * 1000


def acknowledgements(port, start_ms):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times = [post(connection, body("bench_mixed", SERIES, start_ms + n * 15000))
             for n in range(REQUESTS)]
    connection.close()
    return times


def begin_query(port):
    s = socket.create_connection(("127.0.0.1", port))
    target = "/api/v1/query?timeout=2m&query=" + urllib.parse.quote(ENDLESS)
    s.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return s


def percentiles(times):
    times.sort()
    return [times[len(times) // 2], times[len(times) * 99 // 100]]


rows = []
for name, command in peers("--no-watch.host", "--query.max-samples=1000000000000"):
    with running(name, command) as peer:
        start = (int(time.time()) - HISTORY * 15) * 1000
        connection = http.client.HTTPConnection("127.0.0.1", peer.port)
        for first in range(0, HISTORY_SERIES, 500):
            post(connection, body("bench_history", 500, start, HISTORY, first))
        idle, busy = [], []
        start -= REQUESTS * ROUNDS * 2 * 15000 if name == "nunchi" else 0
        for r in range(ROUNDS):
            idle += acknowledgements(peer.port, start + (2 * r) * REQUESTS * 15000)
            queries = [begin_query(peer.port) for _ in range(QUERIES)]
            time.sleep(1)  # until they run
            busy += acknowledgements(peer.port, start + (2 * r + 1) * REQUESTS * 15000)
            for s in queries:
                s.setblocking(False)
                try:
                    raise SystemExit(f"{name}: a query ended: {s.recv(300)!r}")
                except BlockingIOError:
                    s.close()
            time.sleep(1)  # until they are gone
        (i50, i99), (b50, b99) = percentiles(idle), percentiles(busy)
        rows.append((name, f"{i50:.2f}", f"{i99:.2f}", f"{b50:.2f}", f"{b99:.2f}", f"{b99 / i99:.1f}"))
table(f"acknowledgement of a write of {SERIES} samples in ms, idle and with {QUERIES} endless queries",
      ("server", "idle p50", "p99", "busy p50", "p99", "ratio of p99"), rows)
