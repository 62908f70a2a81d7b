# SPDX-License-Identifier: Apache-2.0
"""nunchi and Prometheus side by side, holding the same samples."""
import contextlib
from http.client import HTTPConnection, HTTPException
import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.parse

import demo  # finds the harness, too
from tree import of_prometheus_2
from harness import PATIENCE_S, Server, free_port, http, need, wait_for

FOREVER = "--storage.tsdb.retention.time=100y"
# What Prometheus 2 had without a flag under another name, Prometheus 3 keeps behind one.
FEATURES = "--enable-feature=promql-experimental-functions"


class Client:
    """One kept connection. `ask` gives what the API answers, errors too."""

    def __init__(self, port):
        self.connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S * 2)

    def send(self, path, **params):
        self.connection.request("POST", path, urllib.parse.urlencode(params),
                                {"Content-Type": "application/x-www-form-urlencoded"})

    def receive(self):
        return json.loads(self.connection.getresponse().read())

    def ask(self, path, **params):
        self.send(path, **params)
        return self.receive()

    def close(self):
        self.connection.close()


class Prometheus:
    """A running Prometheus that takes remote write, on a directory of its own."""

    def __init__(self):
        program = need("prometheus")
        self.directory, self.port = tempfile.mkdtemp(prefix="nunchi-peer-"), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = os.path.join(self.directory, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as f:
            f.write("global: {}\n")
        self.log = open(os.path.join(self.directory, "log"), "wb+")
        self.process = subprocess.Popen(
            [program, f"--config.file={config}", f"--storage.tsdb.path={self.directory}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver",
             "--log.level=warn", FOREVER],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def __enter__(self):
        try:
            wait_for("Prometheus", self.is_ready)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE_S)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def is_ready(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError("Prometheus ended: " + self.log.read().decode("utf-8", "replace"))
        with contextlib.suppress(OSError, HTTPException):
            connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        return False


class Pair:
    """Both of them with the demo's samples. `ask` gives both answers to one request. `flags`: more of
    ours; `backwards`: we get the later samples first."""

    def __init__(self, *flags, backwards=False):
        self.flags, self.backwards = flags, backwards

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        with self.stack:
            theirs = self.stack.enter_context(Prometheus())
            self.server = self.stack.enter_context(
                Server("--no-watch.host", "--web.enable-admin-api", FOREVER, FEATURES, *self.flags))
            self.theirs_url = theirs.url
            demo.write(theirs.url)
            demo.write(self.server.url, backwards=self.backwards)
            self.ours = self.stack.enter_context(contextlib.closing(Client(self.server.port)))
            self.theirs = self.stack.enter_context(contextlib.closing(Client(theirs.port)))
            build = http(theirs.url + "/api/v1/status/buildinfo").json["data"]
            self.version = tuple(int(n) for n in build["version"].split("+")[0].split("-")[0].split("."))
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def ask(self, path, query, **params):
        """(our answer, their answer)"""
        self.ours.send(path, query=query, **params)
        self.theirs.send(path, query=of_prometheus_2(query) if self.version < (3,) else query, **params)
        return self.ours.receive(), self.theirs.receive()

    def put_away(self):
        """From now on our samples are read from parts, not from the head."""
        reply = self.server.post("/api/v1/admin/tsdb/snapshot")
        assert reply.status == 200, reply.text
