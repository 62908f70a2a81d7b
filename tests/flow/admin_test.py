#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prometheus' admin API of the storage, its status, and remote write 2.0."""
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from harness import (NUNCHI, PATIENCE_S, Server, field, main, remote_write, snappy, test, varint)

NOW_S = int(time.time()) // 60 * 60 - 600
ADMIN = "/api/v1/admin/tsdb/"


def rows(series=5, n=100):
    return [({"__name__": "m", "i": str(i)}, [(k + i, (NOW_S + k) * 1000) for k in range(n)])
            for i in range(series)]


def server(*args, **kw):
    return Server("--no-watch.host", "--web.enable-admin-api", *args, **kw)


def matrix(s, selector="m"):
    reply = s.get("/api/v1/query", query=f"{selector}[20m]", time=NOW_S + 300)
    return {row["metric"]["i"]: row["values"] for row in reply.json["data"]["result"]}


@test
def closed_without_the_flag():
    with Server("--no-watch.host") as s:
        for what in ("delete_series", "clean_tombstones", "snapshot"):
            reply = s.post(ADMIN + what)
            assert reply.status == 500 and reply.json == {
                "status": "error", "errorType": "unavailable",
                "error": "admin APIs disabled"}, reply.text
        assert s.get(ADMIN + "snapshot").status == 405
        assert s.get("/api/v1/features").json["data"]["api"]["admin"] is False


@test
def series_are_deleted():
    with server() as s:
        assert remote_write(s.url, rows()).status == 204
        for method, params in (("POST", f"match[]=m%7Bi%3D%223%22%7D&start={NOW_S + 10}&end="
                                f"{NOW_S + 19}"), ("PUT", "match[]=m%7Bi%3D%224%22%7D")):
            assert s.post(ADMIN + "delete_series?" + params, method=method).status == 204
        assert s.post(ADMIN + "delete_series", data={"match[]": ["nothing", '{i="0"}'],
                                                     "end": str(NOW_S)}).status == 204
        want = {str(i): [[NOW_S + k, str(k + i)] for k in range(100)] for i in range(4)}
        want["3"] = want["3"][:10] + want["3"][20:]
        want["0"] = want["0"][1:]
        for step in (lambda: None, lambda: s.post(ADMIN + "clean_tombstones")):
            reply = step()
            assert reply is None or reply.status == 204, reply.text
            assert matrix(s) == want
        # Later samples of a deleted series are kept.
        assert remote_write(s.url, [({"__name__": "m", "i": "4"}, [(9, (NOW_S + 200) * 1000)])]
                            ).status == 204
        want["4"] = [[NOW_S + 200, "9"]]
        assert matrix(s) == want
        for params, why in (("", "no match[]"), ("match[]=m%7B", "match[]"),
                            ("match[]=m&start=x", "start"), ("match[]=m&end=x", "end")):
            reply = s.post(ADMIN + "delete_series?" + params)
            assert reply.status == 400 and reply.json["errorType"] == "bad_data", reply.text
            assert why in reply.json["error"], reply.text
        assert s.post(ADMIN + "delete_series?match[]=m&start=5&end=4").status == 204
        headers = {"Origin": "http://elsewhere.example"}
        assert s.post(ADMIN + "delete_series?match[]=m", headers=headers).status == 403
        s.stop()
        with server(directory=s.directory) as again:
            assert matrix(again) == want


@test
def snapshots_are_whole():
    with server() as s:
        assert remote_write(s.url, rows()).status == 204
        reply = s.post(ADMIN + "snapshot?skip_head=maybe")
        assert reply.status == 400 and "skip_head" in reply.json["error"]
        name = s.post(ADMIN + "snapshot").json["data"]["name"]
        want = matrix(s)
        assert len(want) == 5
        # What comes later is not in it.
        assert remote_write(s.url, [({"__name__": "m", "i": "9"}, [(9, NOW_S * 1000)])]
                            ).status == 204
        snapshot = os.path.join(s.directory, "snapshots", name)
        target = tempfile.mkdtemp(prefix="nunchi-test-")
        try:
            for verb in (("verify", snapshot), ("restore", snapshot, target), ("verify", target)):
                done = subprocess.run([NUNCHI, "db", *verb], capture_output=True, text=True,
                                      timeout=PATIENCE_S, check=False)
                assert done.returncode == 0, done
            for directory in (snapshot, target):
                with server(directory=directory) as copy:
                    assert matrix(copy) == want
        finally:
            shutil.rmtree(target)
        assert len(matrix(s)) == 6


@test
def status_of_the_storage():
    with server() as s:
        assert s.get("/api/v1/status/tsdb/blocks").json["data"] == {"blocks": []}
        assert s.get("/api/v1/features").json["data"]["api"]["admin"] is True
        assert remote_write(s.url, rows()).status == 204
        data = s.get("/api/v1/status/tsdb", limit=2).json["data"]
        head = data["headStats"]
        assert (head["numSeries"], head["numLabelPairs"]) == (5, 6), head
        assert (head["minTime"], head["maxTime"]) == (NOW_S * 1000, (NOW_S + 99) * 1000), head
        assert head["chunkCount"] >= 5, head
        assert data["seriesCountByMetricName"] == [{"name": "m", "value": 5}]
        assert data["labelValueCountByLabelName"] == [{"name": "i", "value": 5},
                                                      {"name": "__name__", "value": 1}]
        assert len(data["seriesCountByLabelValuePair"]) == 2
        assert len(data["memoryInBytesByLabelName"]) == 2
        for limit, why in (("0", "positive"), ("10001", "10000"), ("x", "limit")):
            reply = s.get("/api/v1/status/tsdb", limit=limit)
            assert reply.status == 400 and why in reply.json["error"], reply.text
        s.post(ADMIN + "snapshot")
        blocks = s.get("/api/v1/status/tsdb/blocks").json["data"]["blocks"]
        assert len(blocks) == 1, blocks
        b = blocks[0]
        assert (b["minTime"], b["maxTime"]) == (NOW_S * 1000, (NOW_S + 99) * 1000 + 1), b
        assert (b["stats"]["numSamples"], b["stats"]["numSeries"]) == (500, 5), b
        assert b["compaction"] == {"level": 1, "sources": [b["ulid"]]} and len(b["ulid"]) == 26
        assert b["version"] == 1


# ---- remote write 2.0, written out by hand ----

V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"


def request2(series):
    """series: list of (labels, samples [(value, t_ms, start_ms)], more bytes, symbols of those)."""
    symbols = [""]

    def ref(text):
        if text not in symbols:
            symbols.append(text)
        return symbols.index(text)

    body = b""
    for labels, samples, more in series:
        refs = b"".join(varint(ref(x)) for pair in sorted(labels.items()) for x in pair)
        ts = field(1, refs)
        for v, t, start in samples:
            inner = b"\x09" + struct.pack("<d", v) + b"\x10" + varint(t)
            ts += field(2, inner + (b"\x18" + varint(start) if start else b""))
        body += field(5, ts + more(ref))
    return b"".join(field(4, s.encode()) for s in symbols) + body


def post2(s, body, content_type=V2, **headers):
    return s.post("/api/v1/write", data=snappy(body), headers={
        "Content-Type": content_type, "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "2.0.0", **headers})


def written(reply):
    return tuple(reply.headers.get(f"X-Prometheus-Remote-Write-{kind}-Written")
                 for kind in ("Samples", "Histograms", "Exemplars"))


def nothing(_):
    return b""


@test
def remote_write_2():
    t = NOW_S * 1000

    def metadata(ref):
        return field(5, b"\x08\x01\x18" + varint(ref("What it counts.")) + b"\x20\x00")

    def exemplar(ref):
        refs = varint(ref("trace_id")) + varint(ref("abc"))
        return field(4, field(1, refs) + b"\x11" + struct.pack("<d", 2.5) + b"\x18" + varint(t))

    def histogram(_):
        h = (b"\x08\x03" + b"\x19" + struct.pack("<d", 5) + b"\x20\x02" +
             field(11, b"\x08\x00\x10\x02") + field(12, varint(4) + varint(1)) + b"\x78" +
             varint(t))
        return field(3, h)

    with server() as s:
        reply = post2(s, request2([
            ({"__name__": "c_total", "job": "a"}, [(1, t, t - 5000), (2, t + 1000, t - 5000)],
             lambda ref: metadata(ref) + exemplar(ref)),
            ({"__name__": "h", "job": "a"}, [], histogram)]))
        assert reply.status == 204 and written(reply) == ("2", "1", "1"), (reply.status, reply.text)
        assert s.query("c_total", time=NOW_S + 1) == [({"__name__": "c_total", "job": "a"}, 2.0)]
        assert s.query("histogram_count(h)", time=NOW_S + 1) == [({"job": "a"}, 3.0)]
        meta = s.get("/api/v1/metadata", metric="c_total").json["data"]["c_total"]
        assert meta == [{"type": "counter", "help": "What it counts.", "unit": ""}], meta
        # Some of it is wrong: the rest is stored, and the sender is told.
        reply = post2(s, request2([({"job": "a"}, [(1, t, 0)], nothing),
                                   ({"__name__": "ok"}, [(1, t, 0)], nothing),
                                   ({"__name__": "c_total", "job": "a"}, [(7, t, 0)], nothing)]))
        assert reply.status == 400 and written(reply) == ("1", "0", "0"), (reply.status, reply.text)
        assert "no metric name" in reply.text and len(s.query("ok", time=NOW_S)) == 1
        # All of it is.
        reply = post2(s, b"\x2a\xff")
        assert reply.status == 400 and written(reply) == ("0", "0", "0"), reply.text
        # Whoever speaks 1.0 says so, or nothing.
        for kind, status in (("application/x-protobuf;proto=prometheus.WriteRequest", 204),
                             ("application/x-protobuf", 204),
                             ("application/x-protobuf; proto=io.prometheus.write.v3.Request", 415),
                             ("text/plain", 415)):
            assert post2(s, b"", content_type=kind).status == status, kind
        assert post2(s, b"", **{"Content-Encoding": "zstd"}).status == 415


@test
def exemplars_go_with_their_samples():
    t = NOW_S * 1000

    def exemplar(trace, at):
        return lambda ref: field(4, field(1, varint(ref("trace_id")) + varint(ref(trace))) + b"\x11" +
                                 struct.pack("<d", 1) + b"\x18" + varint(at))

    def left(s):
        reply = s.get("/api/v1/query_exemplars", query="c_total", start=NOW_S - 60, end=NOW_S + 60)
        return {row["seriesLabels"]["i"]: [e["labels"]["trace_id"] for e in row["exemplars"]]
                for row in reply.json["data"]}

    want = {"0": ["trace00", "trace01", "trace02"], "1": ["trace10"]}
    with tempfile.TemporaryDirectory() as directory:
        with server(directory=directory) as s:
            for k in range(3):
                reply = post2(s, request2([
                    ({"__name__": "c_total", "i": str(i)}, [(k, t + k * 1000, 0)],
                     exemplar(f"trace{i}{k}", t + k * 1000)) for i in range(2)]))
                assert reply.status == 204, reply.text
            assert left(s) == {str(i): [f"trace{i}{k}" for k in range(3)] for i in range(2)}
            reply = s.post(ADMIN + "delete_series?match[]=c_total%7Bi%3D%221%22%7D"
                           f"&start={NOW_S + 1}")
            assert reply.status == 204, reply.text
            assert left(s) == want
            s.stop(signal.SIGKILL)
        with server(directory=directory) as s:
            assert left(s) == want


@test
def starts_of_remote_write_are_zeros_when_asked_for():
    t = NOW_S * 1000
    for flags, want in (((), {NOW_S: "5"}),
                        (("--enable-feature=created-timestamp-zero-ingestion",),
                         {NOW_S - 20: "0", NOW_S: "5"})):
        with server(*flags) as s:
            reply = post2(s, request2([({"__name__": "c_total", "i": "0"}, [(5, t, t - 20000)],
                                        nothing)]))
            assert reply.status == 204, reply.text
            assert dict(matrix(s, "c_total")["0"]) == want


main()
