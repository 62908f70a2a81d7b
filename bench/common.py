# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: servers to measure, figures of a process, a table."""
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "flow"))
from harness import NUNCHI, free_port, http, resident_bytes, wait_for  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


class Peer:
    """One server under measurement, on a directory of its own."""

    def __init__(self, name, command, directory, port, began):
        self.name, self.directory, self.port = name, directory, port
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.began = began

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
        with contextlib.suppress(OSError):
            return http(self.url + "/-/ready").status == 200
        return False

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self):
        return resident_bytes(self.process.pid) / 1e6

    def stop(self):
        self.process.terminate()
        self.process.wait()


def nunchi(*flags):
    return lambda directory, port: [NUNCHI, "server", f"--storage.path={directory}",
                                    f"--web.listen-address=127.0.0.1:{port}", *flags]


def prometheus(directory, port):
    config = os.path.join(directory, "prometheus.yml")
    with open(config, "w", encoding="utf-8") as f:
        f.write("global:\n  scrape_interval: 15s\n")
    return [shutil.which("prometheus"), f"--config.file={config}",
            f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver", "--web.enable-admin-api"]


def victoria_metrics(directory, port):
    return [shutil.which("victoria-metrics"), f"-storageDataPath={directory}",
            f"-httpListenAddr=127.0.0.1:{port}", "-search.disableCache", "-search.latencyOffset=1ms"]


def peers(*flags):
    """(name, function that gives the command) of what is installed."""
    rows = [("nunchi", nunchi(*flags))]
    if shutil.which("prometheus"):
        rows.append(("prometheus", prometheus))
    return rows


@contextlib.contextmanager
def running(name, command):
    directory, port = tempfile.mkdtemp(prefix="nunchi-bench-"), free_port()
    words = command(directory, port)
    peer = Peer(name, words, directory, port, time.monotonic())
    try:
        while not peer.is_ready():
            time.sleep(0.001)
        peer.ready_s = time.monotonic() - peer.began
        yield peer
    finally:
        peer.stop()
        shutil.rmtree(directory, ignore_errors=True)


def table(title, columns, rows):
    print(f"\n{title}")
    widths = [max(len(str(c)), *(len(str(r[i])) for r in rows)) for i, c in enumerate(columns)]
    for row in [columns, *rows]:
        print("  " + "  ".join(str(v).ljust(w) if i == 0 else str(v).rjust(w)
                               for i, (v, w) in enumerate(zip(row, widths))))


__all__ = ["Peer", "peers", "running", "table", "wait_for", "http"]
