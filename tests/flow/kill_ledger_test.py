#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Acknowledged samples survive kill -9.

usage: tests/flow/kill_ledger_test.py [--kills N] [--requests N] [--seed N]

A writer keeps a ledger of what was acknowledged (204) while the server is killed at random moments
and started again on the same directory. In the end every acknowledged sample must be there with its
value, and whatever else is there must have been sent: a request without an answer may or may not
have been stored, but each request as a whole.
"""
import argparse
import http.client
import random
import shutil
import signal
import tempfile
import threading
import time

from harness import Server, WRITE_HEADERS, free_port, main, series, snappy, test, wait_for

parser = argparse.ArgumentParser()
parser.add_argument("--kills", type=int, default=50)
parser.add_argument("--requests", type=int, default=1000)
parser.add_argument("--seed", type=int, default=int(time.time()))
options = parser.parse_args()

WRITERS = 4
SERIES = 10  # of each request


class Writer(threading.Thread):
    """Sends requests n, n + WRITERS, ...; each has SERIES samples at its own time, value = n."""

    def __init__(self, first, port, base_ms):
        super().__init__()
        self.first, self.port, self.base_ms = first, port, base_ms
        self.acknowledged, self.unknown = set(), set()
        self.errors = []

    def send(self, n):
        rows = [series({"__name__": "ledger", "writer": str(self.first), "series": str(i)},
                       [(float(n), self.base_ms + n * 1000)]) for i in range(SERIES)]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/api/v1/write", snappy(b"".join(rows)), WRITE_HEADERS)
            return connection.getresponse().status
        finally:
            connection.close()

    def run(self):
        try:
            for n in range(self.first, options.requests, WRITERS):
                while True:
                    try:
                        status = self.send(n)
                    except (OSError, http.client.HTTPException):
                        self.unknown.add(n)  # it may have been stored, the answer was lost
                        time.sleep(0.005)
                        continue
                    if status == 204:
                        self.acknowledged.add(n)
                        break
                    if status != 503:
                        raise AssertionError(f"request {n}: status {status}")
                    time.sleep(0.005)
        except Exception as e:
            self.errors.append(e)


@test
def acknowledged_samples_survive_kill_9():
    rng = random.Random(options.seed)
    directory, port = tempfile.mkdtemp(prefix="nunchi-ledger-"), free_port()
    base_ms = (int(time.time()) - options.requests - 60) * 1000
    writers = [Writer(i, port, base_ms) for i in range(WRITERS)]
    server = Server(directory=directory, port=port)
    wait_for("readiness", server.is_ready)
    for writer in writers:
        writer.start()
    kills = 0
    try:
        while kills < options.kills:
            wanted = options.requests * (kills + 1) * 0.9 / options.kills
            wait_for("progress", lambda: sum(len(w.acknowledged) for w in writers)
                     >= min(wanted * rng.uniform(0.9, 1.0), options.requests))
            server.stop(signal.SIGKILL)
            kills += 1
            server.log.close()
            server = Server(directory=directory, port=port)
            wait_for("readiness", server.is_ready)
        for writer in writers:
            writer.join()
        errors = [e for w in writers for e in w.errors]
        assert not errors, errors[0]
        check(server, writers, base_ms)
        print(f"# seed {options.seed}: {kills} kills, {options.requests} requests acknowledged, "
              f"{sum(len(w.unknown) for w in writers)} answers lost on the way, 0 samples lost")
    finally:
        server.__exit__(None, None, None)
        shutil.rmtree(directory, ignore_errors=True)


def check(server, writers, base_ms):
    end_s = base_ms / 1000 + options.requests
    for writer in writers:
        reply = server.get("/api/v1/query", query=f'ledger{{writer="{writer.first}"}}[{options.requests + 10}s]',
                           time=end_s)
        assert reply.status == 200, reply.text
        rows = reply.json["data"]["result"]
        assert len(rows) == SERIES, f"{len(rows)} series of {SERIES}"
        whole = None
        for row in rows:
            got = {}
            for t, v in row["values"]:
                n = round((t * 1000 - base_ms) / 1000)
                assert float(v) == n, f"value {v} at request {n}"
                got[n] = v
            missing = writer.acknowledged - set(got)
            assert not missing, f"{len(missing)} acknowledged samples lost, first {min(missing)}"
            extra = set(got) - writer.acknowledged - writer.unknown
            assert not extra, f"samples nobody sent: {sorted(extra)[:5]}"
            assert whole is None or whole == set(got), "a request was stored in part"
            whole = set(got)


main()
