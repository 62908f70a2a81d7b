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

from harness import SANITIZED, WRITE_HEADERS, Server, main, resident_bytes, series, skip, snappy, test, wait_for

SERIES, SAMPLES = 2000, 240
MEMORY = 256 << 20  # of all queries together
CLIENTS = 24  # more than run at once
ALL = '{__name__=~".+"}'


def nested(text, times, around="sum by (n) ({})"):
    for _ in range(times):
        text = around.replace("{}", text)
    return text


def instants():
    """Hostile at one moment already."""
    yield from (nested(ALL, n) for n in (5, 50, 99, 1000))
    yield from (nested(ALL, n, "({} or {})") for n in (3, 5, 8))
    yield from (nested(ALL, n, "abs(-{})") for n in (20, 200))
    yield from (f"{ALL} {op} on ({on}) {side} {ALL}" for op in ("*", "==bool", ">", "^", "atan2")
                for on in ("", "m") for side in ("group_left ()", "group_right (n)"))
    yield from (f"{ALL} {op} {ALL}" for op in ("and", "or", "unless", "+", "=="))
    yield from (f"{ALL} and on () {ALL} or on () {ALL}", f"sort({ALL}) + ignoring (n) {ALL}")
    yield from (f"sum_over_time(sum({ALL})[{range_}:{step}])" for range_, step in
                (("1y", "1ms"), ("30d", "1s"), ("1h", "10ms"), ("100y", "1s"), ("290y", "1ms")))
    yield from (f"{f}_over_time(rate({ALL}[1h])[{range_}:1s])" for f in ("max", "stddev")
                for range_ in ("1h", "1y"))
    yield from (f"quantile_over_time({q}, {ALL}[10y])" for q in ("0.5", "-1", "NaN"))
    yield "max_over_time(max_over_time(max_over_time(vector(1)[1d:1s])[1d:1s])[1d:1s])"
    yield f"max_over_time(max_over_time({ALL}[1h:1s])[1h:1s])"
    yield f"absent_over_time({ALL}[100y:1s])"
    yield from (f"{ALL}[{range_}]" for range_ in ("1h", "1d", "10y", "100y"))
    yield from (f"{ALL}[{range_}:{step}]" for range_, step in (("1h", "1s"), ("1h", "100ms"), ("1d", "1ms")))
    yield from (f'count_values("{label}", {ALL})' for label in ("v", "n", "__name__"))
    yield from (f"label_replace({ALL}, 'n', '{to}', 'n', '{regex}')" for to, regex in
                (("$1" * 500, "(.*)"), ("x", ".*"), ("$1", "((((((.*))))))"), ("$1$2", "(.*)(.*)(.*)(.*)")))
    yield nested(ALL, 30, "label_replace({}, 'n', '$1$1', 'n', '(.*)')")
    yield nested(ALL, 60, "label_join({}, 'x', '-', 'x', 'x', 'n')")
    yield from (f"{f}({k}, {ALL})" for f in ("topk", "bottomk") for k in ("1e6", "1e300", "-Inf"))
    yield f"{ALL} @ 0 offset 100y"
    yield f"sum_over_time({ALL}[10y] offset -10y)"
    yield f"predict_linear({ALL}[10y], 1e308)"
    yield f"sort_desc(sum without () ({ALL}))"
    # texts
    yield '{__name__=~"' + "(a|b|c)*" * 500 + '"}'
    yield '{__name__=~"' + "(.*a){200}" * 30 + '"}'
    yield '{__name__=~"((a{1000}){1000}){1000}"}'
    yield '{__name__=~"' + "(x+x+)+y" * 1000 + '|.+"}'
    yield "{" + ",".join(f'n=~".*{i}.*"' for i in range(1500)) + ',__name__=~".+"}'
    yield "{" + ",".join(f'n!~"(.*{i}){{5}}.*"' for i in range(700)) + ',__name__=~".+"}'
    yield "{" + ",".join(f'a{i}="b"' for i in range(20000)) + "}"
    yield "(" * 30000 + "1" + ")" * 30000
    yield "-" * 60000 + "1"
    yield "1" + "+1" * 20000
    yield "+".join([f"sum({ALL})"] * 2500)
    yield " or ".join([ALL] * 90)
    yield '"' + "x" * 2000000 + '"'
    yield "sum(" * 20000
    yield "\\x00\x00\xff" * 100
    yield "a[" + "9" * 5000 + "d]"
    yield "1e" + "9" * 5000


def ranges():
    """Hostile over an hour, a second a step."""
    yield from (nested(f"rate({ALL}[1h])", n) for n in (1, 20))
    yield from (f"{f}({ALL})" for f in ("sum", "avg", "stddev", "group by (n, m, __name__)"))
    yield from (f"{f} {ALL})" for f in ("quantile by (n, m) (0.5,", "topk(1e6,", "bottomk(1e6,",
                                        "count_values('v',", "count_values by (n) ('v',",
                                        "max by (n, m, __name__) ("))
    yield from (f"{f}_over_time({ALL}[{range_}])" for f in ("sum", "stdvar", "last")
                for range_ in ("1h", "1d", "10y"))
    yield from (f"quantile_over_time(0.9, {ALL}[{w}])" for w in ("1h", "10y", "1h:1s", "1h:1ms"))
    yield from (f"{f}({ALL}[{w}])" for f in ("rate", "deriv", "changes", "resets", "irate")
                for w in ("1h", "1y", "1h:1s"))
    yield from (f"holt_winters({ALL}[1h], 0.5, 0.5)", f"predict_linear({ALL}[1h], 1e9)")
    yield from (f"{ALL} {op} {side} {ALL}" for op in ("*", "==", "<") for side in
                ("on (m) group_left (n)", "on (n, m) group_right ()", "ignoring (__name__)"))
    yield from (f"{ALL} or {ALL} and {ALL} unless {ALL}", f"count({ALL} == on (n) group_right () {ALL})")
    yield nested(ALL, 6, "({} or {})")
    yield nested(ALL, 20, "label_join({}, 'x', '-', 'x', 'n', 'm')")
    yield f"label_replace({ALL}, 'n', '$1$1$1$1$1$1', 'n', '(.*)')"
    yield f"histogram_quantile(0.9, {ALL})"
    yield f"sort({ALL})"
    yield f"{ALL}"
    yield f"-{ALL} * 2 + 1 > bool 3"
    yield from (f"{f}({ALL})" for f in ("abs", "ln", "timestamp", "day_of_year", "absent"))
    yield '{__name__=~"' + "|".join(f"name{i}.*x" for i in range(20000)) + '"}'
    yield '{__name__=~"' + "|".join(f"metric_{i}.*" for i in range(3000)) + '"}'
    yield "1" + "+1" * 100000
    yield " + ".join(["vector(1)"] * 4000)


HOSTILE = [(q, None) for q in instants()] + [(q, 1) for q in ranges()]
HOSTILE += [(f"sum by (n) (rate({ALL}[{w}]))", step) for w in ("5m", "1h", "1d")
            for step in (1, 0.4, 0.001, 1e-9)]
HOSTILE += [(f"{f}_over_time({ALL}[{w}])", step) for f in ("avg", "min", "count", "stddev", "mad")
            for w in ("10m", "30d") for step in (None, 0.5)]
HOSTILE += [(f"sum by ({by}) ({ALL} * on (n, m, __name__) {ALL})", 1) for by in ("n", "m", "")]
HOSTILE += [(f"max_over_time({ALL}[{w}:1s])", 0.5) for w in ("1m", "1h", "1d")]

# What an error may say: the setting or the fixed limit that was met, or what is wrong with the query.
REASONS = ("--query.timeout", "--query.max-samples", "--query.max-memory", "--query.total-memory",
           "points in one series", "maximum resolution", "longer than 65536 bytes", "levels deep",
           "more than 10000", "parse error", "invalid parameter", "many-to-many", "out of range",
           "duplicate series", "multiple matches", "same labelset", "vector cannot contain",
           "overflows int64", "is not allowed", "invalid label", "not supported", "unknown function")


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
    """A batch after the other; `acknowledged` of them were answered with 204."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.over, self.statuses, self.n = port, threading.Event(), {}, 0
        self.last = 0

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.over.wait(0.005):
            self.n += 1
            self.last = max(self.last + 1, int(time.time() * 1000))
            body = b"".join(series({"__name__": "write_load", "i": str(i)}, [(float(self.n), self.last)])
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
    if status == 0 and b"IncompleteRead" in head:  # an answer on its way was the largest
        return "broken off"
    error = json.loads(head)
    assert status in (400, 422, 503), (query[:80], status, head[:300])
    assert error["errorType"] in ("bad_data", "execution", "timeout"), error
    reason = next((r for r in REASONS if r in error["error"]), None)
    assert reason, (query[:80], error)
    return reason if reason.startswith("--") else error["errorType"]


def ask_all(port, queries, out):
    waiting, lock = list(enumerate(queries)), threading.Lock()

    def work():
        while True:
            with lock:
                if not waiting:
                    return
                _, (query, step) = waiting.pop(0)
            ask(port, query, step, out)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(CLIENTS)]
    for t in threads:
        t.start()
    return threads


def deaf(port):
    """Asks for much and reads nothing."""
    s = socket.create_connection(("127.0.0.1", port))
    target = "/api/v1/query?query=" + urllib.parse.quote('{__name__=~".+"}[1h]')
    s.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return s


@test
def hostile_queries_end_and_writes_go_on():
    queries = HOSTILE[::8] if SANITIZED else HOSTILE
    timeout = "5s" if SANITIZED else "2s"
    with Server("--no-watch.host", f"--query.timeout={timeout}", "--query.max-samples=20000000",
                f"--query.total-memory={MEMORY >> 20}MB") as server:
        fill(server)
        base = resident_bytes(server.process.pid)
        writes = Writes(server.port)
        writes.start()
        silent = [deaf(server.port) for _ in range(2)]
        out, peak = [], 0
        threads = ask_all(server.port, queries, out)
        while any(t.is_alive() for t in threads):
            peak = max(peak, resident_bytes(server.process.pid))
            time.sleep(0.02)
        for s in silent:
            s.close()
        written = writes.n
        wait_for("one more write", lambda: writes.n > written + 1)
        writes.over.set()
        writes.join()
        verdicts = {}
        for query, status, head, _ in out:
            v = verdict(query, status, head)
            verdicts[v] = verdicts.get(v, 0) + 1
        assert len(out) == len(queries)
        evicted = counter(server, 'nunchi_queries_over_limit_total{limit="total_memory"}')
        assert verdicts.get("broken off", 0) <= evicted
        assert set(writes.statuses) == {204}, writes.statuses
        assert SANITIZED or peak - base < MEMORY * 1.1, f"{peak / 1e6:.0f} MB, {base / 1e6:.0f} before"
        wait_for("an end of all queries", lambda: counter(server, "nunchi_queries_running") == 0)
        wait_for("their memory", lambda: counter(server, "nunchi_query_memory_bytes") < 1 << 20)
        stored = server.query("sum(count_over_time(write_load[1h]))", time=writes.last / 1000)
        assert stored == [({}, 20 * writes.n)], (stored, writes.n)
        print(f"# {len(queries)} queries: {verdicts}, {writes.n} writes meanwhile, "
              f"{base / 1e6:.0f} MB before, at most {peak / 1e6:.0f} MB")


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
