#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No remote write is acknowledged before the fdatasync that covers it returned, as strace sees it.

Each request brings a series of its own, whose name is found again in what is read from its connection
and in what is written to the log. Lines of strace are in order; a call that others interrupt has two of
them, its begin and its end.
"""
import os
import re
import subprocess
import tempfile
import threading
import time
from http.client import HTTPConnection

from harness import NUNCHI, WRITE_HEADERS, free_port, http, main, need, series, snappy, test, wait_for

CONNECTIONS, REQUESTS = 4, 60
CALLS = "trace=read,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,pwritev2,fdatasync,fsync"
LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\((\d+)?)(.*)$")


class Call:
    """begin and end are numbers of lines."""

    def __init__(self, name, fd, begin):
        self.name, self.fd, self.begin, self.end, self.text = name, fd, begin, None, ""


def read_trace(path):
    calls, waiting = [], {}
    with open(path, encoding="latin-1") as f:
        for number, line in enumerate(f):
            found = LINE.match(line)
            if not found:
                continue
            thread, resumed, name, fd, rest = found.groups()
            if resumed:
                call = waiting.pop(thread, None)
                if not call:
                    continue
            else:
                call = Call(name, fd, number)
                calls.append(call)
            call.text += rest
            if rest.endswith("<unfinished ...>"):
                waiting[thread] = call
            else:
                call.end = number
    return calls


def send(port, connection):
    c = HTTPConnection("127.0.0.1", port)
    for n in range(REQUESTS):
        name = f"marker_{connection}_{n:03}_"
        body = snappy(series({"__name__": name}, [(1.0, int(time.time() * 1000))]))
        c.request("POST", "/api/v1/write", body, {**WRITE_HEADERS, "X-Name": name})
        assert c.getresponse().read() == b""
    c.close()


def traced(directory, trace):
    port = free_port()
    server = subprocess.Popen(
        [need("strace"), "-D", "-f", "-s", "1000000", "-e", CALLS, "-e", "signal=none", "-o", trace, NUNCHI,
         "server", f"--storage.path={directory}/data", f"--web.listen-address=127.0.0.1:{port}",
         "--no-watch.host"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        def is_ready():
            try:
                return http(f"http://127.0.0.1:{port}/-/ready").status == 200
            except OSError:
                return False
        wait_for("readiness", is_ready)
        threads = [threading.Thread(target=send, args=(port, c)) for c in range(CONNECTIONS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        server.terminate()
        server.wait()

    def is_complete():
        with open(trace, encoding="latin-1") as f:
            return re.search(rf"^{server.pid} +\+\+\+ exited", f.read(), re.M)
    wait_for("the end of the trace", is_complete)


def check(calls):
    """How many acknowledgements there are, and how many syncs they needed."""
    requested, written, syncs, answered = {}, {}, [], 0  # descriptor: name; name: call
    needed = set()
    for call in calls:
        names = re.findall(r"marker_\d+_\d+_", call.text)
        if call.name.startswith(("read", "recv")) and "POST /api/v1/write" in call.text:
            requested[call.fd] = names[0]
        elif call.name.startswith("pwrite"):
            for name in names:
                written.setdefault(name, call)
        elif call.name in ("fdatasync", "fsync") and call.text.rstrip().endswith("= 0"):
            syncs.append(call)
        elif "HTTP/1.1 204" in call.text:
            name = requested.pop(call.fd)
            record = written.get(name)
            assert record and record.end is not None, f"{name} is acknowledged, but not written"
            cover = [s for s in syncs if s.fd == record.fd and s.begin > record.end
                     and s.end is not None and s.end < call.begin]
            assert cover, f"{name} is acknowledged at line {call.begin} and not synced"
            needed.add(cover[0].begin)
            answered += 1
    return answered, len(needed)


@test
def acknowledgements_wait_for_the_sync():
    need("strace")
    with tempfile.TemporaryDirectory(prefix="nunchi-strace-") as directory:
        trace = os.path.join(directory, "trace")
        traced(directory, trace)
        answered, syncs = check(read_trace(trace))
    assert answered == CONNECTIONS * REQUESTS, f"{answered} acknowledgements were seen"
    print(f"# {answered} acknowledgements, covered by {syncs} syncs")


main()
