#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OTLP metrics over HTTP: protobuf and JSON, codings, partial success, errors, settings."""
import gzip
import json
import os
import shutil
import struct
import subprocess
import tempfile
import time
import zlib

from harness import Server, field, main, test, varint, wait_for

PATH = "/api/v1/otlp/v1/metrics"
NOW_S = int(time.time()) // 60 * 60 - 60
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


def attribute(key, value):
    return {"key": key, "value": {"stringValue": value}}


def request(*metrics, **resource):
    attributes = [attribute(k.replace("_", "."), v) for k, v in resource.items()]
    return {"resourceMetrics": [{"resource": {"attributes": attributes},
                                 "scopeMetrics": [{"scope": {"name": "lib"}, "metrics": list(metrics)}]}]}


def gauge(name, value, at=NOW_S, unit="", **attributes):
    return {"name": name, "unit": unit, "description": "what " + name + " is",
            "gauge": {"dataPoints": [{
                "timeUnixNano": str(at * 10**9), "asDouble": value,
                "attributes": [attribute(k, v) for k, v in attributes.items()]}]}}


def counter(name, value, temporality=2):
    return {"name": name, "sum": {
        "isMonotonic": True, "aggregationTemporality": temporality,
        "dataPoints": [{"timeUnixNano": str(NOW_S * 10**9), "asInt": str(value)}]}}


def send(s, message, **headers):
    return s.post(PATH, json.dumps(message).encode(), {**JSON, **headers})


def fixed(number, layout, value):
    return varint(number << 3 | 1) + struct.pack(layout, value)


def protobuf_gauge(name, value):
    """Written out by hand: a second opinion on the wire format."""
    point = fixed(3, "<Q", NOW_S * 10**9) + fixed(4, "<d", value)
    metric = field(1, name.encode()) + field(5, field(1, point))
    return field(1, field(2, field(2, metric)))


@test
def metrics_in_json_become_series():
    with Server("--no-watch.host") as s:
        reply = send(s, request(gauge("room.temp", 21.5, unit="Cel", **{"room.no": "4"}),
                                counter("door.opened", 7),
                                service_name="house", service_instance_id="1", host_name="h"))
        assert reply.status == 200 and reply.json == {}, reply.text
        assert reply.headers["Content-Type"] == "application/json", reply.headers
        where = {"instance": "1", "job": "house"}
        assert s.query("room_temp_celsius", time=NOW_S) == [
            ({"__name__": "room_temp_celsius", "room_no": "4", **where}, 21.5)]
        assert s.query("door_opened_total", time=NOW_S) == [
            ({"__name__": "door_opened_total", **where}, 7)]
        assert s.query("target_info", time=NOW_S) == [
            ({"__name__": "target_info", "host_name": "h", **where}, 1)]
        meta = s.get("/api/v1/metadata", metric="room_temp_celsius").json["data"]
        assert meta == {"room_temp_celsius": [
            {"type": "gauge", "help": "what room.temp is", "unit": "celsius"}]}, meta
        assert s.get("/api/v1/features").json["data"]["api"]["otlp_write_receiver"] is True


@test
def metrics_in_protobuf_in_every_coding():
    with Server("--no-watch.host") as s:
        codings = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}
        if shutil.which("zstd"):
            codings["zstd"] = lambda b: subprocess.run(["zstd", "-c"], input=b, capture_output=True, check=True).stdout
        for n, (coding, pack) in enumerate(codings.items()):
            reply = s.post(PATH, pack(protobuf_gauge(f"g{n}", n)),
                           {**PROTOBUF, **({"Content-Encoding": coding} if coding else {})})
            assert reply.status == 200 and reply.body == b"", reply.text
            assert reply.headers["Content-Type"] == "application/x-protobuf", reply.headers
            assert s.query(f"g{n}", time=NOW_S) == [({"__name__": f"g{n}"}, n)]


@test
def what_was_acknowledged_is_there_after_a_crash():
    with tempfile.TemporaryDirectory() as directory:
        with Server("--no-watch.host", directory=directory) as s:
            assert s.post(PATH, protobuf_gauge("kept", 5), PROTOBUF).status == 200
            s.stop(9)
        with Server("--no-watch.host", directory=directory) as s:
            assert s.query("kept", time=NOW_S) == [({"__name__": "kept"}, 5)]


@test
def exponential_histograms_are_native():
    with Server("--no-watch.host") as s:
        point = {"timeUnixNano": str(NOW_S * 10**9), "count": "4", "sum": 6, "scale": 0,
                 "positive": {"offset": 0, "bucketCounts": ["4"]},
                 "exemplars": [{"timeUnixNano": str(NOW_S * 10**9), "asDouble": 1.5,
                                "traceId": "0102030405060708090a0b0c0d0e0f10"}]}
        reply = send(s, request({"name": "e", "exponentialHistogram": {
            "aggregationTemporality": 2, "dataPoints": [point]}}))
        assert reply.json == {}, reply.text
        assert s.query("histogram_count(e)", time=NOW_S)[0][1] == 4
        assert s.query("histogram_quantile(1, e)", time=NOW_S)[0][1] == 2
        exemplars = s.get("/api/v1/query_exemplars", query="e", start=NOW_S - 60,
                          end=NOW_S + 60).json["data"]
        assert exemplars[0]["exemplars"][0]["labels"] == {
            "trace_id": "0102030405060708090a0b0c0d0e0f10"}, exemplars


@test
def points_that_cannot_be_taken_are_told_and_the_others_stored():
    with Server("--no-watch.host") as s:
        reply = send(s, request(counter("d", 1, temporality=1), gauge("g", 2)))
        partial = reply.json["partialSuccess"]
        assert reply.status == 200 and partial["rejectedDataPoints"] == "1", reply.text
        assert "delta temporality" in partial["errorMessage"], reply.text
        assert s.query("g", time=NOW_S) == [({"__name__": "g"}, 2)]
        assert s.query("d_total", time=NOW_S) == []
        reply = send(s, request(gauge("g", 3)))  # the same time, another value
        assert reply.json["partialSuccess"]["rejectedDataPoints"] == "1", reply.text
        assert send(s, request(gauge("g", 2))).json == {}
        rejected = s.get("/metrics").text
        assert 'nunchi_otlp_points_total{result="rejected"} 2' in rejected, rejected


@test
def deltas_are_stored_with_the_feature():
    with Server("--no-watch.host", "--enable-feature=otlp-native-delta-ingestion") as s:
        assert send(s, request(counter("d", 1, temporality=1))).json == {}
        assert s.query("d_total", time=NOW_S) == [({"__name__": "d_total"}, 1)]
        assert "not built" not in s.output(), s.output()


@test
def errors_are_a_status_in_the_encoding_of_the_request():
    with Server("--no-watch.host") as s:
        rows = [
            (b"{", JSON, 400), (b"[]", JSON, 400), (b"\x0a\xff", PROTOBUF, 400),
            (b"x", {**PROTOBUF, "Content-Encoding": "gzip"}, 400),
            (b"", {**PROTOBUF, "Content-Encoding": "br"}, 400),
            (b"{}", {"Content-Type": "text/plain"}, 415),
            (gzip.compress(bytes(65 << 20)), {**PROTOBUF, "Content-Encoding": "gzip"}, 413),
        ]
        for body, headers, status in rows:
            reply = s.post(PATH, body, headers)
            assert reply.status == status, (headers, reply.status, reply.text)
            if headers["Content-Type"] == PROTOBUF["Content-Type"]:
                assert reply.body[0] == 8 and b"\x12" in reply.body[:4], reply.body
                assert reply.headers["Content-Type"] == PROTOBUF["Content-Type"]
            else:
                assert set(reply.json) == {"code", "message"} and reply.json["message"], reply.text
        assert s.get(PATH).status == 405
        assert s.post(PATH, b"{}", {**JSON, "Origin": "http://evil.example"}).status == 403
        assert send(s, {}).json == {}


@test
def the_section_of_the_configuration_decides_names_and_is_reloaded():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "prometheus.yml")

        def configure(text):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)

        configure("otlp:\n  translation_strategy: NoTranslation\n  promote_resource_attributes: [host.name]\n")
        with Server("--no-watch.host", f"--config.file={path}", "--web.enable-lifecycle") as s:
            assert "not built" not in s.output(), s.output()
            send(s, request(gauge("a.b", 1, unit="s"), host_name="h"))
            assert s.query('{"a.b"}', time=NOW_S) == [({"__name__": "a.b", "host.name": "h"}, 1)]
            configure("otlp:\n  promote_all_resource_attributes: true\n  promote_scope_metadata: true\n")
            assert s.post("/-/reload").status == 200
            send(s, request(gauge("a.b", 1, unit="s"), host_name="h"))
            got = wait_for("the new names", lambda: s.query("a_b_seconds", time=NOW_S))
            assert got[0][0] == {"__name__": "a_b_seconds", "host_name": "h", "otel_scope_name": "lib"}, got


main()
