#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Remote write on 4 connections: samples a second and CPU seconds per million samples.

Each connection sends the same series again and again with later times; the bodies are made before the
clock starts.
"""
import http.client
import threading
import time

from common import peers, running, table
from harness import WRITE_HEADERS, series, snappy

CONNECTIONS, SERIES, REQUESTS = 4, 2000, 60


def bodies(connection, start_ms):
    labels = [{"__name__": f"bench_metric_{i % 100}", "instance": f"host-{connection}:9100",
               "job": "node", "device": f"device{i // 100}", "cluster": "eu-west-1",
               "mode": ("idle", "user", "system")[i % 3]} for i in range(SERIES)]
    return [snappy(b"".join(series(ls, [(float(n * 17 + i), start_ms + n * 15000)])
                            for i, ls in enumerate(labels))) for n in range(REQUESTS)]


def send(port, requests, failures):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for body in requests:
        connection.request("POST", "/api/v1/write", body, WRITE_HEADERS)
        reply = connection.getresponse()
        reply.read()
        if reply.status not in (200, 204):
            failures.append(reply.status)
    connection.close()


start = (int(time.time()) - REQUESTS * 15) * 1000
prepared = [bodies(c, start) for c in range(CONNECTIONS)]
rows = []
for name, command in peers("--no-watch.host"):
    with running(name, command) as peer:
        failures = []
        threads = [threading.Thread(target=send, args=(peer.port, b, failures)) for b in prepared]
        cpu, began = peer.cpu_s(), time.monotonic()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        wall, cpu = time.monotonic() - began, peer.cpu_s() - cpu
        if failures:
            raise SystemExit(f"{name}: {len(failures)} requests failed, first {failures[0]}")
        million = CONNECTIONS * SERIES * REQUESTS / 1e6
        rows.append((name, f"{million / wall * 1e6:,.0f}", f"{cpu / million:.2f}",
                     f"{peer.memory_mb():.0f}"))
table(f"remote write, {CONNECTIONS} connections, {SERIES} samples a request",
      ("server", "samples/s", "CPU s per million", "MB"), rows)
