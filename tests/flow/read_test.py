#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Remote read: a Prometheus that has nothing of its own asks nunchi, in both ways of answering."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from harness import (PATIENCE_S, Server, field, free_port, http, main, need, remote_write, snappy,
                     test, varint, wait_for)

NOW_S = int(time.time()) // 60 * 60 - 7200
HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
           "X-Prometheus-Remote-Read-Version": "0.1.0"}


def rows(series=30, n=500):
    return [({"__name__": "m", "i": str(i), "text": "h\u00e9 \"q\""},
             [(k * 0.5 + i, (NOW_S + k * 5) * 1000) for k in range(n)]) for i in range(series)]


def matcher(kind, name, value):
    return field(3, (b"\x08" + varint(kind) if kind else b"") + field(2, name.encode()) +
                 field(3, value.encode()))


def request(*matchers, types=b""):
    query = (b"\x08" + varint(NOW_S * 1000) + b"\x10" + varint((NOW_S + 3600) * 1000) +
             b"".join(matchers))
    return snappy(field(1, query) + types)


@test
def prometheus_reads():
    program = need("prometheus")
    with Server("--no-watch.host") as s:
        assert remote_write(s.url, rows()).status == 204
        directory = tempfile.mkdtemp(prefix="nunchi-read-")
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        with open(os.path.join(directory, "p.yml"), "w", encoding="utf-8") as f:
            f.write(f"remote_read:\n- url: {s.url}/api/v1/read\n  read_recent: true\n")
        process = subprocess.Popen(
            [program, f"--config.file={directory}/p.yml", f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def ready():
                try:
                    return http(url + "/-/ready").status == 200
                except OSError:
                    return False
            wait_for("Prometheus", ready)
            for query in ("m", 'm{i="7"}', 'm{i=~"1."}', 'm{i!="3",text!~"x"}', "sum(m)",
                          "max by (i) (max_over_time(m[7m1s]))", "nothing"):
                params = {"query": query, "start": NOW_S + 601, "end": NOW_S + 2401, "step": 60}
                theirs = http(url + "/api/v1/query_range", data=params).json
                ours = s.post("/api/v1/query_range", data=params).json
                assert theirs["status"] == "success", theirs
                assert theirs["data"] == ours["data"], query
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
            shutil.rmtree(directory)


@test
def samples_and_frames():
    with Server("--no-watch.host") as s:
        assert remote_write(s.url, rows(3, 10)).status == 204
        reply = s.post("/api/v1/read", data=request(matcher(0, "__name__", "m")), headers=HEADERS)
        assert reply.status == 200, reply.text
        assert reply.headers["Content-Type"] == "application/x-protobuf"
        assert reply.headers["Content-Encoding"] == "snappy"
        streamed = field(2, b"\x01\x00")
        reply = s.post("/api/v1/read", headers={**HEADERS, "Accept-Encoding": "gzip"},
                       data=request(matcher(0, "__name__", "m"), types=streamed))
        assert reply.status == 200 and reply.body.count(b"__name__") == 3, reply
        assert reply.headers["Content-Type"] == ("application/x-streamed-protobuf; "
                                                 "proto=prometheus.ChunkedReadResponse")
        assert reply.headers.get("Content-Encoding") is None
        for body, why in ((b"junk", ""), (snappy(b"\x0a\xff"), "no ReadRequest"),
                          (request(matcher(2, "i", "(")), "remote read"),
                          (request(matcher(0, "i", "x"), types=field(2, b"\x07")), "types")):
            reply = s.post("/api/v1/read", data=body, headers=HEADERS)
            assert reply.status == 400 and why in reply.text, (reply.status, reply.text)
        assert s.get("/api/v1/read").status == 405


def parts(message):
    """The fields of a protobuf message: (number, value or bytes)."""
    at = 0

    def cut():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(message):
        key = cut()
        value = cut()
        if key & 7 == 2:
            value, at = message[at:at + value], at + value
        yield key >> 3, value


@test
def histograms_are_streamed_as_chunks_of_their_own():
    streamed = field(2, b"\x01")
    with Server("--no-watch.host") as s:
        for k in range(3):
            point = {"timeUnixNano": str((NOW_S + k) * 10**9), "count": str(4 + k), "sum": 6, "scale": 0,
                     "positive": {"bucketCounts": ["4", str(k)]}, "flags": int(k == 2)}
            body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "h", "exponentialHistogram": {
                "aggregationTemporality": 2, "dataPoints": [point]}}]}]}]}
            reply = s.post("/api/v1/otlp/v1/metrics", json.dumps(body).encode(), {"Content-Type": "application/json"})
            assert reply.json == {}, reply.text
        reply = s.post("/api/v1/read", headers=HEADERS,
                       data=request(matcher(0, "__name__", "h"), types=streamed))
        assert reply.status == 200, reply.text
        size = len(varint(len(reply.body) - 6)) if len(reply.body) > 133 else 1
        frame = reply.body[size + 4:]
        series = [value for number, value in parts(frame) if number == 1]
        chunks = [dict(parts(value)) for number, value in parts(series[0]) if number == 2]
        # Two histograms, then the float that says that the series ended.
        assert [(c[1], c[2], c[3], c[4][:2]) for c in chunks] == [
            (NOW_S * 1000, NOW_S * 1000 + 1000, 2, b"\0\2"),
            (NOW_S * 1000 + 2000, NOW_S * 1000 + 2000, 1, b"\0\1")], chunks


@test
def external_labels():
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        f.write("global:\n  external_labels:\n    region: eu\n    i: ours\n")
        f.flush()
        with Server("--no-watch.host", "--config.file", f.name) as s:
            assert remote_write(s.url, rows(3, 10)).status == 204
            types = field(2, b"\x01")
            for matchers, n in (((), 3), ((matcher(0, "region", "eu"),), 3),
                                ((matcher(0, "region", "us"),), 0),
                                ((matcher(0, "i", "1"),), 1), ((matcher(0, "i", "ours"),), 0)):
                reply = s.post("/api/v1/read", headers=HEADERS,
                               data=request(matcher(0, "__name__", "m"), *matchers, types=types))
                assert reply.status == 200 and reply.body.count(b"\x06region\x12\x02eu") == n, (
                    n, reply.body)
                assert b"ours" not in reply.body


main()
