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


@test
def commands_explain_themselves():
    overview = nunchi()
    assert overview == nunchi("help") == nunchi("--help"), overview
    assert "exit status is 0" in overview
    assert "nunchi server" in nunchi("sever", code=1)
    group = nunchi("help", "db")
    assert group.count("\n") == 6 and "db ls" in group and "db restore" in group, group
    out = nunchi("db", code=1)
    assert "first word of a command" in out and group in out, out
    assert "--storage.path" in nunchi("server", "--storge.path", "x", code=1)
    assert "nunchi help server" in nunchi("server", "x", code=1)
    man = nunchi("help", "--man", "server")
    assert man.startswith(".TH NUNCHI\\-SERVER 1") and ".SH EXIT STATUS" in man, man


@test
def a_place_that_is_taken_is_named():
    with Server("--no-watch.host") as s:
        out = nunchi("server", "--storage.path", s.directory, code=1)
        assert "is in use by process" in out and "--storage.path" in out, out
        with tempfile.TemporaryDirectory() as directory:
            address = s.url.removeprefix("http://")
            out = nunchi("server", "--storage.path", directory, "--web.listen-address", address, code=1)
            assert "Address already in use" in out and "--web.listen-address" in out, out
            out = nunchi("server", "--storage.path", directory, "--web.listen-address", "here", code=1)
            assert "no valid port" in out and "HOST:PORT" in out, out


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


@test
def a_server_is_asked():
    with Server("--no-watch.host") as s:
        remote_write(s.url, [
            ({"__name__": "temperature", "room": "söul"}, [(20.5, (NOW_S - 60) * 1000),
                                                          (21.5, NOW_S * 1000)]),
            ({"__name__": "temperature", "room": "a\x1b[2Jb"}, [(7.0, NOW_S * 1000)])])
        out = nunchi("query", "instant", s.url + "/", "temperature", "--time", str(NOW_S))
        assert out == ('temperature{room="a\\x1b[2Jb"}  7\n'
                       'temperature{room="söul"}       21.5\n'), out
        assert nunchi("query", "instant", s.url, "1 + 1") == "2\n"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(NOW_S))
        before = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(NOW_S - 60))
        out = nunchi("query", "range", s.url, "temperature{room='söul'}", f"--start={NOW_S - 60}",
                     f"--end={stamp}", "--step=1m")
        assert out == f'temperature{{room="söul"}}\n  {before}  20.5\n  {stamp}  21.5\n', out
        assert nunchi("query", "range", s.url, "temperature").count("\n  ") > 10
        out = nunchi("query", "series", s.url, "{room=~'s.+'}", "nothing")
        assert out == 'temperature{room="söul"}\n', out
        assert nunchi("query", "labels", s.url) == "__name__\nroom\n"
        assert nunchi("query", "labels", s.url, "room") == "a\\x1b[2Jb\nsöul\n"
        assert nunchi("query", "labels", s.url, "room", "{room=~'s.+'}") == "söul\n"
        raw = json.loads(nunchi("query", "instant", s.url, "temperature", "--json"))
        assert raw["status"] == "success"
        # A directory answers like the server that has it.
        for question in (("instant", "temperature", "--time", str(NOW_S)), ("instant", "1 + 1"),
                         ("instant", "'text'"), ("instant", "sum(temperature)", f"--time={NOW_S}"),
                         ("range", "temperature", f"--start={NOW_S - 60}", f"--end={NOW_S}",
                          "--step=60"),
                         ("series", "{room=~'s.+'}"), ("labels",), ("labels", "room"),
                         ("labels", "room", "{room=~'s.+'}"),
                         ("labels", "room", f"--end={NOW_S - 60}")):
            kind, rest = question[0], question[1:]
            want = nunchi("query", kind, s.url, *rest)
            assert nunchi("query", kind, s.directory, *rest) == want, (question, want)
        for place in (s.url, s.directory):
            for more in ((f"--time={NOW_S}",), (f"--start={NOW_S - 60}", f"--end={NOW_S}", "--step=1m")):
                lines = nunchi("explain", "sum(temperature) + 1", "--on", place, *more).split("\n")
                assert lines[0].split() == ["series", "samples", "total", "ms", "self", "ms"], lines
                assert lines[1].endswith("  sum(temperature) + 1") and lines[1].split()[0] == "1", lines
                assert lines[3].endswith("  |  `- temperature".replace("|  ", "   ")), lines
                assert int(lines[3].split()[1]) >= 2, lines
        assert "bad_data" not in nunchi("explain", "sum(", code=1)
        assert "1:5: " in nunchi("query", "instant", s.directory, "sum(", code=1)
        out = nunchi("query", "instant", s.url, "sum(", code=1)
        assert "bad_data" in out and "1:5: parse error" in out, out
        assert "404" in nunchi("query", "instant", s.url + "/nowhere", "1", code=1)


@test
def bad_questions_are_refused():
    url = f"http://127.0.0.1:{free_port()}"
    for arguments, words in (
            (("query",), "instant"),
            (("query", "instan", url, "1"), 'did you mean "instant"'),
            (("query", "instant", url), "no expression"),
            (("query", "instant", url, "1", "2"), "more than one"),
            (("query", "instant", url, "1", "--time=soon"), "--time"),
            (("query", "range", url, "1", "--start=9", "--end=8"), "before"),
            (("query", "series", url), "no selector"),
            (("query", "instant", "/nonexistent", "1"), "cannot open"),
            (("query", "instant", "/nonexistent", "1", "--json"), "--json is for servers"),
            (("query", "range", url, "1", "--step=-1"), "--step"),
            (("query", "series", "/nonexistent", "a", "b"), "more than one selector"),
            (("query", "instant", url, "1"), "127.0.0.1"),
    ):
        out = nunchi(*arguments, code=1)
        assert words in out, (arguments, out)


main()
