#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Downsampling tiers: a server makes rows of old samples, and queries at tier borders answer as before."""
import os
import random
import subprocess
import tempfile
import time

from harness import NUNCHI, Server, free_port, main, remote_write, test, wait_for

DAY_S = 86400
NOW_S = int(time.time())
HOUR = NOW_S // 3600 * 3600  # the last full hour

QUERIES = (
    "c_total", "g", "rate(c_total[1h])", "sum(increase(c_total[6h])) by (i)", "min_over_time(g[1h])",
    "max_over_time(g[3h])", "avg_over_time(g[1h])", "sum_over_time(g[2h])", "count_over_time(g[1h])",
    "last_over_time(g[1h])", "first_over_time(c_total[1h])", "delta(g[2h])",
    "max_over_time(rate(c_total[1h])[4h:1h])", "topk(1, rate(c_total[1h]))",
)


def write_days(s, first, last, state):
    """A sample a minute from `first` to `last` days ago; the counter falls now and then."""
    for start in range(HOUR - int(first * DAY_S), HOUR - int(last * DAY_S), 6 * 3600):
        rows = []
        for i in range(3):
            counter, gauge = [], []
            for t in range(start + 7 + i, start + 6 * 3600, 60):
                state[i] = 0 if random.random() < 0.002 else state[i] + random.randrange(50)
                counter.append((state[i], t * 1000))
                gauge.append((random.randrange(10000) / 100, t * 1000))
            rows += [({"__name__": "c_total", "i": str(i)}, counter), ({"__name__": "g", "i": str(i)}, gauge)]
        reply = remote_write(s.url, rows)
        assert reply.status == 204, reply.text


def flush(s):
    reply = s.post("/api/v1/admin/tsdb/snapshot")
    assert reply.status == 200, reply.text


def ask(s, query, start, end, step="1h"):
    reply = s.get("/api/v1/query_range", query=query, start=start, end=end, step=step)
    assert reply.status == 200, reply.text
    return reply.json


def values(answer):
    return {tuple(sorted(row["metric"].items())): [(t, float(v)) for t, v in row["values"]]
            for row in answer["data"]["result"]}


def assert_near(query, got, want):
    assert got.keys() == want.keys(), query
    for key, points in want.items():
        assert len(points) == len(got[key]), (query, key, len(points), len(got[key]))
        for (t, v), (t2, v2) in zip(points, got[key]):
            assert t == t2 and abs(v - v2) <= 1e-9 * (1 + abs(v)), (query, key, t, v, v2)


def bytes_of_parts(s):
    at = os.path.join(s.directory, "metrics", "parts")
    return sum(os.path.getsize(os.path.join(at, name)) for name in os.listdir(at))


def infos_of(s, t):
    reply = s.get("/api/v1/query", query="rate(c_total[1h])", time=t)
    return " ".join(reply.json.get("infos", ()))


@test
def rows_answer_as_samples_did():
    random.seed(4)
    with tempfile.TemporaryDirectory() as directory:
        config = os.path.join(directory, "nunchi.yml")
        with open(config, "w", encoding="utf-8") as f:
            f.write("storage:\n  tiers: raw 1d, 5m 3d, 1h 30d\n")
        data = os.path.join(directory, "data")
        os.mkdir(data)
        args = ("--no-watch.host", f"--config={config}", "--web.enable-admin-api")
        span = (HOUR - 8 * DAY_S + 3600, HOUR - 2 * DAY_S)
        with Server(*args, directory=data) as s:
            state = [0, 0, 0]
            write_days(s, 8, 4, state)
            flush(s)
            write_days(s, 4, 1.5, state)
            flush(s)
            want = {q: values(ask(s, q, *span)) for q in QUERIES}
            assert all(want.values()), want.keys()
            before = bytes_of_parts(s)
            remote_write(s.url, [({"__name__": "c_total", "i": "0"}, [(1, NOW_S * 1000)])])
            wait_for("rows of an hour", lambda: "rows of 1h" in infos_of(s, HOUR - 6 * DAY_S))
            wait_for("rows of 5 minutes", lambda: "rows of 5m" in infos_of(s, HOUR - 2 * DAY_S))
            for query, points in want.items():
                answer = ask(s, query, *span)
                assert_near(query, values(answer), points)
                assert "warnings" not in answer and len(answer["infos"]) >= 1, answer.get("infos")
            wait_for("parts that were replaced to go", lambda: bytes_of_parts(s) < before * 0.8)
            print(f"# {before} bytes of samples, {bytes_of_parts(s)} of rows")
        with Server(*args, directory=data) as s:
            for query, points in want.items():
                assert_near(query, values(ask(s, query, *span)), points)
            late_samples_count(s)
            needs_every_sample(s)


def late_samples_count(s):
    t = HOUR - 6 * DAY_S
    count = lambda: s.query("count_over_time(g{i='1'}[1h])", time=t)[0][1]
    assert count() == 60
    reply = remote_write(s.url, [({"__name__": "g", "i": "1"}, [(50.5, (t - 1800) * 1000 + 1)])])
    assert reply.status == 204, reply.text
    assert count() == 61
    flush(s)
    assert count() == 61


def needs_every_sample(s):
    reply = s.get("/api/v1/query", query="quantile_over_time(0.5, g[1h])", time=HOUR - 6 * DAY_S).json
    assert len(reply["data"]["result"]) == 3
    assert "quantile_over_time needs every sample" in reply["warnings"][0], reply
    reply = s.get("/api/v1/query", query="g[1h]", time=HOUR - 6 * DAY_S).json
    assert all(len(row["values"]) <= 4 for row in reply["data"]["result"]), reply


@test
def tiers_that_cannot_be_are_refused():
    for tiers, what in (("5m 20d, 7m 30d", "multiple of the one before"), ("raw 20d, 5m 10d", "longer")):
        with tempfile.TemporaryDirectory() as directory:
            config = os.path.join(directory, "nunchi.yml")
            with open(config, "w", encoding="utf-8") as f:
                f.write(f"storage:\n  tiers: {tiers}\n")
            done = subprocess.run([NUNCHI, "server", f"--storage.path={directory}/data", f"--config={config}",
                                   f"--web.listen-address=127.0.0.1:{free_port()}"],
                                  capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 1 and what in done.stderr and "nunchi.yml:2:" in done.stderr, done


main()
