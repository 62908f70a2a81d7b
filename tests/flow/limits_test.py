#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile queries, clients that leave, full disks: each ends with its own error, the rest goes on."""
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

from harness import WRITE_HEADERS, Server, main, resident_bytes, series, skip, snappy, test, wait_for

SERIES, SAMPLES = 2000, 240
MEMORY_MAX = 4 << 30  # of the whole server with all hostile queries at once
ALL = '{__name__=~".+"}'


def nested(text, times):
    for _ in range(times):
        text = f"sum by (n) ({text})"
    return text


HOSTILE = (  # query, step in seconds (None: instant)
    (nested(ALL, 50), None),
    (nested(f"rate({ALL}[1h])", 20), 1),
    (nested(ALL, 100000), None),
    (f"topk(1000000, {ALL})", 1),
    (f"quantile by (n, m) (0.5, {ALL})", 1),
    (f"count_values('v', {ALL})", 1),
    (f"{ALL} * on () group_left () {ALL}", None),
    (f"{ALL} * on (m) group_left (n) {ALL}", 1),
    (f"{ALL} or {ALL} and {ALL} unless {ALL}", 1),
    (f"count({ALL} == on (n) group_right () {ALL})", 1),
    (f"label_replace({ALL}, 'n', '$1$1$1$1$1$1', 'n', '(.*)')", 1),
    (f"label_join({ALL}, 'x', ',', 'n', 'm', 'n', 'm', 'n', 'm')", 1),
    (f"sum_over_time({ALL}[10y])", 1),
    (f"sum_over_time(sum({ALL})[1y:1ms])", None),
    (f"max_over_time(rate({ALL}[1h])[1y:1s])", None),
    (f"max_over_time(max_over_time({ALL}[1h:1s])[1h:1s])", None),
    (f"max_over_time(max_over_time(max_over_time(vector(1)[1d:1s])[1d:1s])[1d:1s])", None),
    (f"quantile_over_time(0.9, {ALL}[1h:1ms])", 1),
    (f"sort({ALL}) + ignoring (n) {ALL}", None),
    (f"histogram_quantile(0.9, {ALL})", 1),
    (f"absent_over_time({ALL}[100y:1s])", None),
    ('{__name__=~"' + "(a|b|c)*" * 500 + '"}', None),
    ('{__name__=~"' + "(.*a){200}" * 30 + '"}', None),
    ('{__name__=~"((a{1000}){1000}){1000}"}', None),
    ('{__name__=~"' + "|".join(f"name{i}.*x" for i in range(20000)) + '"}', 1),
    ("(" * 30000 + "1" + ")" * 30000, None),
    ("-" * 60000 + "1", None),
    ("1" + "+1" * 100000, 1),
    ("{" + ",".join(f'a{i}="b"' for i in range(20000)) + "}", None),
    ('"' + "x" * 2000000 + '"', None),
)


def fill(server):
    start = int(time.time() * 1000) - SAMPLES * 15000
    for first in range(0, SERIES, 500):
        body = b"".join(series({"__name__": f"metric_{i % 50}", "n": str(i), "m": str(i % 7)},
                               [(float(i * k % 101), start + k * 15000) for k in range(SAMPLES)])
                        for i in range(first, first + 500))
        reply = server.post("/api/v1/write", snappy(body), WRITE_HEADERS)
        assert reply.status == 204, reply.text


def counter(server, row):
    for line in server.get("/metrics").text.split("\n"):
        if line.startswith(row + " "):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"/metrics has no {row}")


class Writes(threading.Thread):
    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.over, self.statuses, self.n = port, threading.Event(), {}, 0

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.over.wait(0.005):
            self.n += 1
            now = int(time.time() * 1000)
            body = b"".join(series({"__name__": "write_load", "i": str(i)}, [(float(self.n), now)])
                            for i in range(20))
            try:
                connection.request("POST", "/api/v1/write", snappy(body), WRITE_HEADERS)
                reply = connection.getresponse()
                status = reply.status if reply.read() == b"" else reply.status
            except (OSError, http.client.HTTPException) as e:
                status = repr(e)
                connection.close()
            self.statuses[status] = self.statuses.get(status, 0) + 1


def ask(port, query, step, out):
    end = int(time.time())
    form = {"query": query, "time": end}
    path = "/api/v1/query"
    if step:
        form, path = {"query": query, "start": end - 3600, "end": end, "step": step}, "/api/v1/query_range"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", path, urllib.parse.urlencode(form),
                           {"Content-Type": "application/x-www-form-urlencoded"})
        reply = connection.getresponse()
        size, head = 0, b""
        while True:
            piece = reply.read(1 << 20)
            if not piece:
                break
            size += len(piece)
            head = (head + piece)[:4096] if len(head) < 4096 else head
        out.append((query, reply.status, head, size))
    except (OSError, http.client.HTTPException) as e:
        out.append((query, 0, repr(e).encode(), 0))
    finally:
        connection.close()


def verdict(query, status, head):
    if status == 200:
        assert head.startswith(b'{"status":"success"'), (query[:80], head[:200])
        return "answered"
    if status == 413:
        return "413"
    error = json.loads(head)
    assert status in (400, 422, 503), (query[:80], status, head[:300])
    assert error["error"] and error["errorType"] in ("bad_data", "execution", "timeout"), error
    return error["errorType"]


@test
def hostile_queries_end_and_writes_go_on():
    with Server("--no-watch.host", "--query.timeout=5s", "--query.max-samples=5000000") as server:
        fill(server)
        writes = Writes(server.port)
        writes.start()
        out, peak = [], 0
        threads = [threading.Thread(target=ask, args=(server.port, q, step, out), daemon=True)
                   for q, step in HOSTILE]
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            peak = max(peak, resident_bytes(server.process.pid))
            time.sleep(0.02)
        written = writes.n
        wait_for("one more write", lambda: writes.n > written + 1)
        writes.over.set()
        writes.join()
        verdicts = {}
        for query, status, head, _ in out:
            v = verdict(query, status, head)
            verdicts[v] = verdicts.get(v, 0) + 1
        assert len(out) == len(HOSTILE)
        assert set(writes.statuses) == {204}, writes.statuses
        assert peak < MEMORY_MAX, f"{peak / 1e6:.0f} MB"
        wait_for("an end of all queries", lambda: counter(server, "nunchi_queries_running") == 0)
        assert server.query("count(write_load)") == [({}, 20)]
        print(f"# {verdicts}, {writes.n} writes meanwhile, at most {peak / 1e6:.0f} MB")


ENDLESS = "max_over_time(max_over_time(max_over_time(vector(1)[1d:1s])[1d:1s])[1d:1s])"


@test
def a_client_that_leaves_ends_its_query():
    with Server("--no-watch.host", "--query.max-samples=1000000000000") as server:
        clients = []
        for _ in range(30):  # more than run at once: those that wait are ended, too
            s = socket.create_connection(("127.0.0.1", server.port))
            target = "/api/v1/query?query=" + urllib.parse.quote(ENDLESS)
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            clients.append(s)
        wait_for("running queries", lambda: counter(server, "nunchi_queries_running") >= 2)
        for s in clients:
            s.close()
        wait_for("their end", lambda: counter(server, "nunchi_queries_canceled_total") == 30
                 and counter(server, "nunchi_queries_running") == 0)
        assert server.query("vector(1)") == [({}, 1)]


def small_disk(megabytes):
    directory = tempfile.mkdtemp(prefix="nunchi-full-")
    mount = shutil.which("mount")
    done = mount and os.geteuid() == 0 and subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", directory], check=False,
        stderr=subprocess.DEVNULL).returncode == 0
    if not done:
        os.rmdir(directory)
        skip("only root may mount a small disk, and not everywhere")
    return directory


@test
def a_full_disk_refuses_writes_until_there_is_space():
    disk = small_disk(224)
    try:
        data, ballast = os.path.join(disk, "data"), os.path.join(disk, "ballast")
        os.mkdir(data)
        with open(ballast, "wb") as f:
            f.write(bytes(80 << 20))
        with Server("--no-watch.host", directory=data) as server:
            server.own = False
            fills_up(server, ballast)
            assert server.stop() == 0
        with Server("--no-watch.host", directory=data) as server:
            assert server.query("last_over_time(full[1h])"), "nothing is there after a start"
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
        os.rmdir(disk)


def fills_up(server, ballast):
    base, acknowledged = int(time.time() * 1000) - 1800_000, []

    def write(n):
        body = b"".join(series({"__name__": "full", "i": str(i), "text": os.urandom(2000).hex()},
                               [(float(n), base + n)]) for i in range(200))
        reply = server.post("/api/v1/write", snappy(body), WRITE_HEADERS)
        if reply.status == 204:
            acknowledged.append(n)
        return reply
    for n in range(1, 2000):
        reply = write(n)
        if reply.status != 204:
            break
    assert reply.status in (503, 507) and acknowledged, (n, reply.status, reply.text)
    first = reply
    for n in range(n + 1, n + 20):
        reply = write(n)
        assert reply.status in (204, 503, 507), (reply.status, reply.text)
    assert server.get("/-/healthy").status == 200
    stored = {v for _, v in server.query(f"count(full == {acknowledged[0]})", time=(base + acknowledged[0]) / 1000)}
    assert stored == {200}, stored
    assert "ERROR ingest: cannot store samples: " in server.output(), server.output()
    os.unlink(ballast)
    wait_for("writes after space came back", lambda: write(n + len(acknowledged) + 10000).status == 204)
    wait_for("word of it", lambda: "samples are stored again" in server.output())
    print(f"# {len(acknowledged)} writes, then {first.status}: {first.text.strip()}")


main()
