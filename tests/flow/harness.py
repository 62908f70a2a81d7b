# SPDX-License-Identifier: Apache-2.0
"""What flow tests share: a real server on a free port, small clients, TAP.

A test file is `@test def name(): ...` functions and a last line `main()`. A test fails by an
exception and is skipped by `skip("why")`.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NUNCHI = os.environ.get("NUNCHI", os.path.join(ROOT, "build", "nunchi"))
# Memory that a sanitizer needs for itself says nothing.
SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ
PATIENCE_S = 60  # how long to wait for something that will surely come; no test measures time
tests = []


class Skip(Exception):
    pass


def skip(why):
    raise Skip(why)


def test(function):
    tests.append(function)
    return function


def need(program):
    """Path of a program; without it the test is skipped, and fails where everything must be there."""
    path = shutil.which(program)
    if path:
        return path
    if os.environ.get("CI") == "true":
        raise AssertionError(f"{program} is not installed")
    raise Skip(f"{program} is not installed")


def main():
    print(f"1..{len(tests)}", flush=True)
    bad = 0
    for n, function in enumerate(tests, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {n} - {name}", flush=True)
        except Skip as why:
            print(f"ok {n} - {name} # SKIP {why}", flush=True)
        except Exception:  # a failed test, whatever it was
            bad += 1
            print(f"not ok {n} - {name}", flush=True)
            print("".join("# " + line + "\n" for line in traceback.format_exc().split("\n")))
    sys.exit(1 if bad else 0)


def wait_for(what, condition):
    """Polls until the condition gives something true, and gives that back."""
    end = time.monotonic() + PATIENCE_S
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {PATIENCE_S} s")
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)


def http(url, data=None, headers=None, method=None, context=None):
    if isinstance(data, dict):
        data = urllib.parse.urlencode(data, doseq=True).encode()
    request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                         urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=PATIENCE_S) as r:
            return Reply(r.status, r.headers, r.read())
    except urllib.error.HTTPError as e:
        with e:
            return Reply(e.code, e.headers, e.read())


class Server:
    """A running `nunchi server`. `directory` outlives it, so that it can be started again.
    `context`: a client's ssl.SSLContext for a server that speaks TLS."""

    def __init__(self, *args, directory=None, port=None, env=None, context=None):
        self.own = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="nunchi-test-")
        self.port = port or free_port()
        self.context = context
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self.log = open(os.path.join(self.directory, "..", os.path.basename(self.directory) + ".log"),
                        "ab+")
        self.process = subprocess.Popen(
            [NUNCHI, "server", f"--storage.path={self.directory}",
             f"--web.listen-address=127.0.0.1:{self.port}", *args],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=env)

    def __enter__(self):
        try:
            wait_for("readiness", self.is_ready)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
        if kind:
            print("".join("# " + line + "\n" for line in self.output().split("\n")[-40:]))
        self.log.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.log.name)
        if self.own:
            shutil.rmtree(self.directory, ignore_errors=True)

    def output(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n" + self.output())
        with contextlib.suppress(OSError):
            return self.get("/-/ready").status == 200
        return False

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)

    def get(self, path, headers=None, **params):
        query = "?" + urllib.parse.urlencode(params, doseq=True) if params else ""
        return http(self.url + path + query, headers=headers, context=self.context)

    def post(self, path, data=b"", headers=None, method="POST"):
        return http(self.url + path, data=data, headers=headers, method=method,
                    context=self.context)

    def query(self, expr, **params):
        """The result of an instant query: a list of (labels, value)."""
        reply = self.get("/api/v1/query", query=expr, **params)
        assert reply.status == 200, reply.text
        data = reply.json["data"]
        if data["resultType"] == "scalar":
            return float(data["result"][1])
        return [(row["metric"], float(row["value"][1])) for row in data["result"]]


def resident_bytes(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(field + r":\s+(\d+) kB", f.read()).group(1)) * 1024


# Remote write 1.0, written out by hand: a second opinion on the wire format.

def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def label(name, value):
    return field(1, field(1, name.encode()) + field(2, value.encode()))


def sample(value, t_ms):
    body = b"\x09" + struct.pack("<d", value) + b"\x10" + varint(t_ms & (1 << 64) - 1)
    return field(2, body)


def series(labels, samples):
    rows = b"".join(label(n, v) for n, v in sorted(labels.items()))
    return field(1, rows + b"".join(sample(v, t) for v, t in samples))


def snappy(data):
    """Snappy block format with literals only."""
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += b"\xf4" + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


WRITE_HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                 "X-Prometheus-Remote-Write-Version": "0.1.0"}


def remote_write(url, rows):
    """rows: list of (labels, [(value, t_ms)])."""
    body = snappy(b"".join(series(labels, samples) for labels, samples in rows))
    return http(url + "/api/v1/write", data=body, headers=WRITE_HEADERS)
