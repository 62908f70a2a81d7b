#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The metrics engine beside its peers: one stream, the same bytes to each server, one table.

docs/benchmarks.md says how each figure is taken.
"""
import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

from common import TICKS, free_port, http, nunchi, prometheus, resident_bytes, victoria_metrics
from harness import NUNCHI
from metrics_queries import QUERIES, compare, target

TOOLS = os.path.join(os.path.dirname(NUNCHI), "bench", "metrics")
INTERVAL_MS, SCRAPES, SAMPLES_A_REQUEST = 15000, 300, 2000
FINE_MS = 3  # below, latency says more about the client and the kernel than about the server
OTHERS_MAX = 0.1
BLOCK_S = 7200  # Prometheus cuts its blocks at even hours
VM, PROMETHEUS, OURS = "victoria-metrics", "prometheus", "nunchi"
SERVERS = {OURS: nunchi("--no-watch.host", "--log.level=error"), PROMETHEUS: prometheus,
           VM: victoria_metrics}
ACKNOWLEDGED = {OURS: "synced to disk", PROMETHEUS: "written to its log, not synced",
                VM: "in memory, on disk within 5 s"}

# What stands in the table: key, title, format, and for the judged ones what it is compared with
# ("ratio": victoria-metrics, "own": nothing), must, aim. A bar below 0 is one to exceed.
FIGURES = (
    ("cpu", "CPU seconds per million samples", "{:.3f}", "ratio", 0.4, 0.25),
    ("cpu_acked", "  until the last acknowledgement", "{:.3f}", None, None, None),
    ("rate", "samples/s, 4 connections, millions", "{:.2f}", "ratio", -1, -2),
    ("p99", "p99 acknowledgement, one connection, ms", "{:.2f}", "own", 10, 3),
    ("p50", "  median", "{:.2f}", None, None, None),
    ("bytes", "bytes per sample on disk", "{:.3f}", "ratio", 0.6, 0.33),
    ("merged", "  peers merged by hand", "{:.3f}", None, None, None),
    ("peak", "peak resident MB", "{:.0f}", "ratio", 0.7, 0.4),
    ("series", "resident bytes a series at 1,000,000", "{:.0f}", "own", 1000, 400),
    ("series_peak", "  at its peak", "{:.0f}", None, None, None),
    ("restart", "restart to ready, s", "{:.3f}", "ratio", 1.5, 1),
    ("killed", "  after kill -9 under load, s", "{:.3f}", "own", 2, 0.5),
    *((key, title, "{:.2f}", "query", 1, 0.33) for key, title, *_ in QUERIES),
    ("churn", "rate after a day of churn / before", "{:.2f}", "own", -0.9, -1),
    ("churn_cpu", "  CPU per sample before / after", "{:.2f}", None, None, None),
)


def tool(program, *words):
    """Runs a tool of bench/metrics/ and gives its JSON."""
    command = [os.path.join(TOOLS, program), *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if not done.stdout:
        raise SystemExit(f"{' '.join(command)} failed")
    return json.loads(done.stdout)


def say(text):
    print(text, flush=True)


class Others:
    """What share of the machine was used by neither the servers nor the clients of the benchmark."""
    used = wall = 0.0

    @staticmethod
    def busy_s():
        with open("/proc/stat", encoding="ascii") as f:
            user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
        return (user + nice + system + irq + softirq + steal) / TICKS

    @staticmethod
    def clients_s():
        r = resource.getrusage(resource.RUSAGE_CHILDREN)
        return r.ru_utime + r.ru_stime

    @classmethod
    @contextlib.contextmanager
    def watched(cls, servers):
        def own():
            return cls.clients_s() + sum(s.cpu_s() for s in servers)
        began, busy, mine = time.monotonic(), cls.busy_s(), own()
        yield
        cls.wall += time.monotonic() - began
        with contextlib.suppress(OSError):  # a server that was killed
            cls.used += cls.busy_s() - busy - (own() - mine)

    @classmethod
    def note(cls):
        share = cls.used / (cls.wall * os.cpu_count()) if cls.wall else 0
        return (f"WARNING: other processes used {share:.0%} of this machine: wall clock says little"
                if share > OTHERS_MAX else f"other processes used {max(share, 0):.0%} of this machine")


class Server:
    """One server on a directory that outlives it."""

    def __init__(self, name, parent, directory=None):
        self.name, self.process = name, None
        self.directory = directory or os.path.join(parent, name)
        os.makedirs(self.directory, exist_ok=True)

    def start(self):
        """Gives the seconds until it is ready."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = SERVERS[self.name](self.directory, self.port)
        with open(self.directory + ".log", "ab") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while not self.is_ready():
            time.sleep(0.001)
        return time.monotonic() - began

    def is_ready(self):
        if self.process.poll() is not None:
            with open(self.directory + ".log", encoding="utf-8", errors="replace") as log:
                tail = log.read()[-2000:]
            raise SystemExit(f"{self.name} ended with {self.process.returncode}:\n{tail}")
        with contextlib.suppress(OSError):
            return http(self.url + "/-/ready").status == 200
        return False

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait()

    def __enter__(self):
        self.ready_s = self.start()
        return self

    def __exit__(self, *why):
        self.stop()

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self, field="VmHWM"):
        return resident_bytes(self.process.pid, field) / 1e6

    def settle(self, quiet_s=3, patience_s=180):
        """Waits until the server has almost no work left."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            before = self.cpu_s()
            time.sleep(quiet_s)
            if self.cpu_s() - before <= 0.03 * quiet_s:
                return
        say(f"{self.name}: still at work after {patience_s} s")

    def metric(self, name):
        """The sum of a metric of the server about itself; None: it has no such metric."""
        rows = [line.rsplit(" ", 1)[1] for line in http(self.url + "/metrics").text.split("\n")
                if line.startswith((name + " ", name + "{"))]
        return sum(map(float, rows)) if rows else None

    def send(self, path, *flags):
        with Others.watched([self]):
            sent = tool("bench-stream", "send", path, "--port", self.port, "--pid", self.process.pid,
                        *flags)
        if sent["refused"] or sent["retries"] or (sent["broken"] and "--kill-at" not in flags):
            say(f"{self.name}: {sent['retries']} retries, {sent['refused']} refused, "
                f"{sent['broken']} broken: {sent['complaint']}")
        return sent


def disk_bytes(directory, leave_out=()):
    """What a directory takes: of each file the larger of its size and what is allocated."""
    total = 0
    for path, folders, files in os.walk(directory):
        folders[:] = [f for f in folders if f not in leave_out]
        for name in files:
            st = os.lstat(os.path.join(path, name))
            total += max(st.st_size, st.st_blocks * 512)
    return total


def end_of_stream(scrapes, interval_ms):
    """Now, unless Prometheus would then cut the stream into two blocks: then the last even hour."""
    now = int(time.time())
    border = now // BLOCK_S * BLOCK_S
    span_s = (scrapes + 1) * interval_ms // 1000
    return (now if now - span_s >= border or span_s > BLOCK_S else border - 1) * 1000


class Bench:
    def __init__(self, options):
        self.o = options
        self.directory = options.again or tempfile.mkdtemp(prefix="nunchi-bench-",
                                                           dir=options.directory)
        self.series = options.series or (10000 if options.quick else 100000)
        self.million_series = 100000 if options.quick else 1000000
        self.names = [n for n in SERVERS if n in options.servers.split(",")
                      and (n == OURS or shutil.which(n))]
        self.values, self.notes, self.deviations = {}, [], {}

    def put(self, key, server, value):
        self.values.setdefault(key, {})[server] = value

    def make(self, name, series, scrapes, interval_ms=INTERVAL_MS, churn=0):
        path = os.path.join(self.directory, name + ".requests")
        end_ms = end_of_stream(scrapes, interval_ms)
        tool("bench-stream", "make", path, "--series", series, "--scrapes", scrapes, "--interval-ms",
             interval_ms, "--end-ms", end_ms, "--churn", churn)
        return path, end_ms

    def stream(self):
        if self.o.again and not hasattr(self, "made"):
            with open(os.path.join(self.directory, "stream.json"), encoding="utf-8") as f:
                self.made = os.path.join(self.directory, "stream.requests"), json.load(f)["end_ms"]
        if not hasattr(self, "made"):
            say(f"making {self.series:,} series x {SCRAPES} scrapes")
            self.made = self.make("stream", self.series, SCRAPES)
            with open(os.path.join(self.directory, "stream.json"), "w", encoding="utf-8") as f:
                json.dump({"end_ms": self.made[1]}, f)
        return self.made

    def fresh(self, name, what):
        return Server(name, os.path.join(self.directory, what))

    # The parts.

    def ingest(self):
        """Fills one directory a server; size, restart and queries look at them."""
        path, _ = self.stream()
        self.samples = self.series * SCRAPES
        self.filled = {name: self.fresh(name, "filled") for name in self.names}
        for name in self.names if not self.o.again else ():
            say(f"{name}: ingest")
            with self.filled[name] as server:
                sent = server.send(path)
                server.settle()
                million = sent["samples"] / 1e6
                self.put("rate", name, sent["samples_s"] / 1e6)
                self.put("cpu_acked", name, sent["cpu_s"] / million)
                self.put("cpu", name, server.cpu_s() / million)
                self.put("peak", name, server.memory_mb())
                if name == OURS:
                    self.note_syncs(server, sent)

    def note_syncs(self, server, sent):
        syncs = server.metric("nunchi_wal_syncs_total")
        most = server.metric("nunchi_wal_samples_per_sync_max")
        self.notes.append(f"nunchi: {syncs:.0f} WAL syncs for {sent['requests']} requests; the most "
                          f"samples acknowledged by one: {most or 0:,.0f}")
        if not syncs:
            raise SystemExit("nunchi did not sync its log: the run is invalid")

    @staticmethod
    def prometheus_bytes(server):
        """A block of everything, as compaction makes one. Its own comes after 3 h of samples."""
        reply = http(server.url + "/api/v1/admin/tsdb/snapshot", data=b"", method="POST")
        path = os.path.join(server.directory, "data", "snapshots", reply.json["data"]["name"])
        total = disk_bytes(path)
        shutil.rmtree(path)
        return total

    def copy(self, name):
        path = os.path.join(self.directory, "copies", name)
        shutil.rmtree(path, ignore_errors=True)
        return Server(name, None, shutil.copytree(self.filled[name].directory, path))

    def size(self):
        """On copies, so that the other parts find what the server itself left. Logs do not count: they
        are as long as what was not settled yet."""
        if OURS in self.names:
            copy = self.copy(OURS)
            stored = tool("bench-settle", copy.directory)
            for key in ("bytes", "merged"):
                self.put(key, OURS, disk_bytes(copy.directory, ("wal",)) / self.samples)
            if stored["part_samples"] != self.samples:
                say(f"nunchi: {stored['part_samples']} of {self.samples} samples in parts")
        if VM in self.names:
            self.put("bytes", VM, disk_bytes(self.filled[VM].directory, ("cache",)) / self.samples)
            with self.copy(VM) as server:
                http(server.url + "/internal/force_merge")
                while server.metric("vm_active_force_merges"):
                    time.sleep(0.2)
                self.put("merged", VM, disk_bytes(server.directory, ("cache",)) / self.samples)
        if PROMETHEUS in self.names:
            with self.filled[PROMETHEUS] as server:
                self.put("bytes", PROMETHEUS, self.prometheus_bytes(server) / self.samples)
        shutil.rmtree(os.path.join(self.directory, "copies"), ignore_errors=True)
        self.judge_stream()

    def judge_stream(self):
        for name, least, most in ((VM, 0.9, 1.3), (PROMETHEUS, 1.0, 1.4)):
            value = self.values["bytes"].get(name)
            if value and not least <= value <= most:
                self.notes.append(f"WARNING: {value:.2f} bytes a sample of {name} are outside {least} "
                                  f"to {most}: the stream is not realistic")

    def restart(self):
        repeats = 3 if self.o.quick else 5
        ready = {name: [] for name in self.names}
        for _ in range(repeats):
            for name in self.names:
                with self.filled[name] as server:
                    ready[name].append(server.ready_s)
        for name in self.names:
            self.put("restart", name, statistics.median(ready[name]))

    def queries(self):
        """All servers run at the same time and take turns."""
        _, end_ms = self.stream()
        end_s = end_ms // 1000 - 20 + 0.125
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(self.filled[name]) for name in self.names]
            for server in servers:
                server.settle()
            for key, title, kind, what, deviation in QUERIES:
                say(f"query: {title}")
                path = target(kind, what, end_s)
                out = os.path.join(self.directory, "answer")
                with Others.watched(servers):
                    asked = tool("bench-stream", "ask", "--repeats", 10 if self.o.quick else 50,
                                 "--out", out, *(f"{s.port} {s.process.pid} {path}" for s in servers))
                for server, figures in zip(servers, asked):
                    self.put(key, server.name, figures["median_ms"])
                    self.put(key + ".cpu", server.name, figures["cpu_ms"])
                self.compare_answers(key, title, kind, deviation, out)

    def compare_answers(self, key, title, kind, deviation, out):
        answers = {}
        for i, name in enumerate(self.names):
            with open(f"{out}.{i}", "rb") as f:
                answers[name] = f.read()
        for name in self.names:
            how = deviation if name == VM else None
            if name != self.names[0]:
                difference = compare(key, kind, answers[self.names[0]], answers[name], how)
                if difference:
                    self.notes.append(f"DIFFERENT: {title}: {self.names[0]} and {name}: {difference}")
                elif how:
                    self.deviations.setdefault(f"{name}: {how}", []).append(title)

    def ack(self):
        """One connection; the requests that make the series are sent before the clock starts."""
        path, _ = self.stream()
        a_scrape = -(-self.series // SAMPLES_A_REQUEST)
        for name in self.names:
            say(f"{name}: acknowledgements")
            with self.fresh(name, "ack") as server:
                sent = server.send(path, "--connections", 1, "--skip", 2 * a_scrape, "--requests",
                                   (22 if self.o.quick else 102) * a_scrape)
                self.put("p50", name, sent["p50_ms"])
                self.put("p99", name, sent["p99_ms"])

    def kill(self):
        path, end_ms = self.stream()
        at = self.series * SCRAPES // SAMPLES_A_REQUEST * 2 // 3
        for name in self.names:
            say(f"{name}: kill -9")
            server = self.fresh(name, "kill")
            server.start()
            sent = server.send(path, "--kill-at", at)
            server.process.wait()
            self.put("killed", name, server.start())
            self.count_kept(server, sent["samples"], end_ms)
            server.stop()

    def count_kept(self, server, acknowledged, end_ms):
        kept, form = 0, {"time": end_ms / 1000, "nocache": 1}
        for name in http(server.url + "/api/v1/label/__name__/values").json["data"]:
            form["query"] = f"sum(count_over_time({name}[2h]))"
            rows = http(server.url + "/api/v1/query", form).json["data"]["result"]
            kept += float(rows[0]["value"][1]) if rows else 0
        if kept < acknowledged:
            self.notes.append(f"{server.name}: {acknowledged - kept:,.0f} acknowledged samples of "
                              f"{acknowledged:,.0f} lost by kill -9")

    def memory(self):
        path, _ = self.make("memory", self.million_series, 3)
        for name in self.names:
            say(f"{name}: memory of {self.million_series:,} series")
            with self.fresh(name, "memory") as server:
                server.send(path)
                server.settle()
                self.put("series", name, server.memory_mb("VmRSS") * 1e6 / self.million_series)
                self.put("series_peak", name, server.memory_mb() * 1e6 / self.million_series)
        os.unlink(path)

    def churn(self):
        """Days at a scrape a minute; each hour half of the instances are new ones. A head is flushed
        every three or four of these hours, so the first third of a day is compared with the last:
        both have flushes."""
        say("making a day of churn")
        path, _ = self.make("churn", self.series // (2 if self.o.quick else 4), 1440, 60000, 0.5)
        for name in self.names:
            first, last = [], []
            for day in range(CHURN_DAYS):
                say(f"{name}: churn, day {day + 1} of {CHURN_DAYS}")
                with self.fresh(name, f"churn-{day}") as server:
                    hours = server.send(path, "--segments", 24)["segments"]
                first += hours[:8]
                last += hours[-8:]
            rate, cpu = ([mean(hour[k] for hour in part) for part in (first, last)]
                         for mean, k in ((statistics.harmonic_mean, "samples_s"),
                                         (statistics.mean, "cpu_s_million")))
            self.put("churn", name, rate[1] / rate[0])
            self.put("churn_cpu", name, cpu[0] / cpu[1])
        os.unlink(path)

    # The table.

    def compared(self, key, basis):
        values = self.values[key]
        if basis == "own":
            return values.get(OURS)
        if basis == "query":
            return self.compared_query(key)
        if OURS in values and values.get(VM):
            return values[OURS] / values[VM]
        return None

    def compared_query(self, key):
        """To the faster peer; by CPU where that answers within FINE_MS."""
        times, cpu = self.values[key], self.values[key + ".cpu"]
        peers = [n for n in times if n != OURS]
        if OURS not in times or not peers:
            return None
        best = min(peers, key=times.get)
        if times[best] >= FINE_MS:
            return times[OURS] / times[best]
        return cpu[OURS] / min(cpu[n] for n in peers)

    def unit(self, key, basis):
        if basis != "query":
            return " x" if basis == "ratio" else ""
        times, cpu = self.values[key], self.values[key + ".cpu"]
        peers = [n for n in times if n != OURS]
        if min(times[n] for n in peers) < FINE_MS:
            return " x CPU"
        return f" x (CPU {cpu[OURS] / min(cpu[n] for n in peers):.2f})"

    def cell(self, key, form, basis, name):
        if name not in self.values[key]:
            return "-"
        text = form.format(self.values[key][name])
        return text + f" ({self.values[key + '.cpu'][name]:.2f})" if basis == "query" else text

    def rows(self):
        for key, title, form, basis, must, aim in FIGURES:
            if key not in self.values:
                continue
            cells = [self.cell(key, form, basis, n) for n in self.names]
            if basis == "query":
                title += ", ms (CPU)"
            value = self.compared(key, basis) if basis else None
            if value is None:
                yield [title, *cells, "", "", "", ""]
                continue
            ok = [value >= -bar if bar < 0 else value <= bar for bar in (must, aim)]
            verdict = "aim" if ok[1] else "must" if ok[0] else "FAILS"
            yield [title, *cells, f"{value:.2f}" + self.unit(key, basis),
                   f"{abs(must):g}", f"{abs(aim):g}", verdict]

    def print_table(self):
        head = ["figure", *self.names, "compared", "must", "aim", "reached"]
        rows = list(self.rows())
        widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
        say("")
        for row in [head, *rows]:
            say("  ".join(v.ljust(w) if i == 0 else v.rjust(w)
                          for i, (v, w) in enumerate(zip(row, widths))))
        say("")
        for name in self.names:
            say(f"{name}: an acknowledged write is {ACKNOWLEDGED[name]}")
        for note in [*self.notes, Others.note()]:
            say(note)
        for how, titles in self.deviations.items():
            say(f"{how}: {', '.join(titles)}")

    def close(self):
        if self.o.keep or self.o.again:
            say(f"kept: {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


CHURN_DAYS = 3  # one says little: an hour of it takes half a second
PARTS = ("ingest", "size", "restart", "queries", "ack", "kill", "memory", "churn")
NEED_INGEST = {"size", "restart", "queries"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="a tenth of the series; no verdict")
    parser.add_argument("--series", type=int, help="instead of 100,000")
    parser.add_argument("--servers", default=",".join(SERVERS), help="only these")
    parser.add_argument("--directory", help="where to store; default: that of temporary files")
    parser.add_argument("--again", metavar="DIR", help="size, restart, queries on what --keep left")
    parser.add_argument("--keep", action="store_true", help="leave everything there")
    options = parser.parse_args()
    wanted = set(options.parts or PARTS)
    if wanted - set(PARTS):
        parser.error(f"no part {', '.join(wanted - set(PARTS))}")
    if wanted & NEED_INGEST:
        wanted.add("ingest")
    bench = Bench(options)
    try:
        for part in PARTS:
            if part in wanted:
                getattr(bench, part)()
    finally:
        bench.print_table()
        bench.close()


if __name__ == "__main__":
    main()
