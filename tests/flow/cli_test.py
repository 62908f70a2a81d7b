#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands around PromQL."""
import json
import os
import subprocess
import tempfile
import time

from harness import NUNCHI, Server, free_port, main, remote_write, test

NOW_S = int(time.time()) // 60 * 60 - 600


def nunchi(*args, code=0):
    done = subprocess.run([NUNCHI, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=60, check=False)
    assert done.returncode == code, (args, done)
    return done.stderr if code else done.stdout


@test
def expressions_are_formatted():
    assert nunchi("format", "sum(rate(x[5m]))by(job)") == "sum by (job) (rate(x[5m]))\n"
    assert nunchi("format", "limitk(1,x[5m*2])", code=1) != ""
    assert nunchi("format", "limitk(1, x)") == "limitk(1, x)\n"
    out = nunchi("format", "sum(rats(x[5m]))", code=1)
    assert "1:5: error" in out and "^" in out and "rate()" in out, out
    assert "no expression" in nunchi("format", code=1)


GOOD = """load 1m
  requests{job="a"} 0+60x10

eval instant at 5m rate(requests[5m])
  {job="a"} 1
"""


@test
def scripts_are_run_and_counted():
    with tempfile.TemporaryDirectory() as directory:
        good, bad = os.path.join(directory, "good.test"), os.path.join(directory, "bad.test")
        for path, text in ((good, GOOD), (bad, GOOD.replace('{job="a"} 1', '{job="a"} 2'))):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        assert nunchi("test", "promql", good) == "1 passed, 0 failed\n"
        for arguments in ((good, bad), (directory,), (directory + "/",)):
            done = subprocess.run([NUNCHI, "test", "promql", *arguments], capture_output=True,
                                  text=True, timeout=60, check=False)
            assert done.returncode == 1, done
            assert f"{bad}:4: " in done.stdout and "1 passed, 1 failed\n" in done.stdout, done
        assert "missing.test" in nunchi("test", "promql", directory + "/missing.test", code=1)
        assert "no script" in nunchi("test", "promql", code=1)


main()
