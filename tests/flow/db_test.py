#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The `nunchi db` commands: what they show, what they find, and that what comes from Prometheus and
VictoriaMetrics goes out as it came in."""
import glob
import os
import random
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time

from harness import (NUNCHI, PATIENCE_S, WRITE_HEADERS, Server, field, free_port, http, main, need,
                     remote_write, snappy, test, varint, wait_for)

BASE_S = 1700000000


def nunchi(*args, code=0, stdin=None):
    done = subprocess.run([NUNCHI, *args], capture_output=True, text=True, input=stdin or "",
                          timeout=PATIENCE_S, check=False)
    assert done.returncode == code, (args, done)
    return done


def db(verb, *args, code=0, stdin=None):
    return nunchi("db", verb, *args, code=code, stdin=stdin)


class Directory:
    """A temporary directory with paths in it."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="nunchi-db-")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def __call__(self, *names):
        return os.path.join(self.path, *names)


def exposition(seed=3):
    """OpenMetrics text with a counter, noise and odd values, over 2.5 hours."""
    r = random.Random(seed)
    out = ["# HELP http_requests Requests, with \\\\ and \\n.", "# TYPE http_requests counter"]
    for code in ("200", "404", "500"):
        value = 0
        for i in range(400):
            value += r.randint(0, 50)
            ms = r.randint(0, 999) if i % 7 == 0 else 0
            out.append(f'http_requests_total{{code="{code}",instance="a"}} {value}.0 '
                       f"{BASE_S + i * 15}.{ms:03d}")
    out += ["# HELP load Load.", "# TYPE load gauge"]
    for instance in ("a", "b"):
        for i in range(600):
            out.append(f'load{{instance="{instance}"}} {r.random() * 10!r} {BASE_S + i * 15}.000')
    for i, v in enumerate(("NaN", "+Inf", "-Inf", "-0.0", "1e-300", "5e-324",
                           "1.7976931348623157e+308", "0.1", "3.0")):
        out.append(f'odd{{text="h\u00e9llo \\"q\\" \\\\ \\n x"}} {v} {BASE_S + i * 60}.000')
    return "\n".join(out + ["# EOF", ""])


def samples(text):
    return [line for line in text.split("\n") if line and not line.startswith("#")]


def promtool_blocks(text, to):
    source = to + ".txt"
    with open(source, "w", encoding="utf-8") as f:
        f.write(text)
    subprocess.run([need("promtool"), "tsdb", "create-blocks-from", "openmetrics", source, to],
                   check=True, capture_output=True, timeout=PATIENCE_S)
    return to


def files_below(directory):
    out = {}
    for path in glob.glob(directory + "/**", recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as f:
                out[path] = (os.stat(path).st_mtime_ns, f.read())
    return out


@test
def openmetrics_goes_out_as_it_came_in():
    text = exposition()
    with Directory() as d:
        with open(d("om"), "w", encoding="utf-8") as f:
            f.write(text)
        assert "2,409 samples" in db("import", "--from=openmetrics", d("a"), d("om")).stdout
        assert db("dump", d("a")).stdout == text
        db("import", "--from=openmetrics", d("b"), "-", stdin=text)
        assert db("dump", d("b")).stdout == text
        # The same again changes nothing.
        db("import", "--from=openmetrics", d("b"), "-", stdin=text)
        assert db("dump", d("b")).stdout == text


@test
def openmetrics_is_all_or_nothing():
    with Directory() as d:
        cases = (("a 1 1\na 2\n# EOF\n", "standard input:2:1: error: a sample without a time"),
                 ("a 1 1\n", "without # EOF"), ("a 1 1\nb{ 2 2\n# EOF\n", "input:2:"),
                 ("a 1 1\n# EOF\nb 1 1\n", "after # EOF"), ("a 1 1e300\n# EOF\n", "no sane time"))
        for text, why in cases:
            assert why in db("import", "--from=openmetrics", d("a"), "-", code=1,
                             stdin=text).stderr, text
            assert db("dump", d("a")).stdout == "# EOF\n"
        assert "cannot open" in db("import", "--from=openmetrics", d("a"), d("x"), code=1).stderr
        assert "--from is missing" in db("import", d("a"), d("x"), code=1).stderr
        assert "an argument is missing" in db("import", d("a"), code=1).stderr
        assert 'expected prometheus' in db("import", "--from=x", d("a"), "-", code=1).stderr


@test
def dumps_are_filtered():
    with Directory() as d:
        db("import", "--from=openmetrics", d("a"), "-", stdin=exposition())
        everything = samples(db("dump", d("a")).stdout)
        some = samples(db("dump", d("a"), "--match", 'load{instance="a"}', "--match",
                          '{instance="a",code!="404"}').stdout)
        assert some == [s for s in everything if 'instance="a"' in s and 'code="404"' not in s]
        end = BASE_S + 100
        early = samples(db("dump", d("a"), f"--start={BASE_S + 30}", f"--end={end}").stdout)
        assert early == [s for s in everything if BASE_S + 30 <= float(s.split()[-1]) <= end]
        assert "--match" in db("dump", d("a"), "--match", "{", code=1).stderr
        assert "before --start" in db("dump", d("a"), "--start=5", "--end=4", code=1).stderr


@test
def blocks_of_prometheus_are_imported():
    text = exposition()
    with Directory() as d:
        blocks = promtool_blocks(text, d("blocks"))
        assert "2,409 samples in 2 parts" in db("import", "--from=prometheus", d("a"), blocks).stdout
        assert samples(db("dump", d("a")).stdout) == samples(text)
        # One block alone, then the rest: what is there stays.
        one = sorted(glob.glob(blocks + "/*/meta.json"))[0]
        db("import", "--from=prometheus", d("b"), os.path.dirname(one))
        db("import", "--from=prometheus", d("b"), blocks)
        assert samples(db("dump", d("b")).stdout) == samples(text)
        # And back: Prometheus' tool reads our dump into the same blocks.
        os.mkdir(d("blocks", "wal"))
        again = promtool_blocks(db("dump", d("a")).stdout, d("again"))
        os.mkdir(d("again", "wal"))
        os.mkdir(d("data"))  # where newer ones of that tool copy to
        dumps = [subprocess.run([need("promtool"), "tsdb", "dump", p], check=True, cwd=d(""),
                                capture_output=True, timeout=PATIENCE_S).stdout
                 for p in (blocks, again)]
        assert dumps[0] == dumps[1] and len(dumps[0]) > 10000
        assert "all whole" in db("verify", d("a")).stdout


@test
def damaged_blocks_are_refused_whole():
    with Directory() as d:
        blocks = promtool_blocks(exposition(), d("blocks"))
        r = random.Random(1)
        victims = [p for p in glob.glob(blocks + "/*/*") + glob.glob(blocks + "/*/chunks/*")
                   if os.path.isfile(p) and os.path.basename(p) in ("index", "000001", "tombstones")]
        for path in victims:
            with open(path, "rb") as f:
                whole = f.read()
            for _ in range(8):
                broken = bytearray(whole)
                broken[r.randrange(len(whole))] ^= 1 << r.randrange(8)
                with open(path, "wb") as f:
                    f.write(broken)
                done = subprocess.run([NUNCHI, "db", "import", "--from=prometheus", d("a"), blocks],
                                      capture_output=True, text=True, timeout=PATIENCE_S,
                                      check=False)
                if done.returncode == 0:  # postings and padding do not matter to an import
                    assert samples(db("dump", d("a")).stdout) == samples(exposition())
                    shutil.rmtree(d("a"))
                else:
                    assert done.returncode == 1 and "error: " in done.stderr, done
                    assert db("dump", d("a")).stdout == "# EOF\n"
            with open(path, "wb") as f:
                f.write(whole)


class Prometheus:
    def __init__(self, path, *args, config=""):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        with open(path + ".yml", "w", encoding="utf-8") as f:
            f.write(config)
        self.process = subprocess.Popen(
            [need("prometheus"), f"--config.file={path}.yml", f"--storage.tsdb.path={path}",
             f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-admin-api",
             "--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=100y", *args],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        def ready():
            try:
                return http(self.url + "/-/ready").status == 200
            except OSError:
                return False
        wait_for("Prometheus", ready)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)


@test
def snapshots_and_deletions_of_prometheus():
    now = int(time.time()) - 600
    rows = [({"__name__": "m", "i": str(i)}, [(k * i, (now + k) * 1000) for k in range(300)])
            for i in range(5)]
    with Directory() as d, Prometheus(d("p")) as p:
        assert remote_write(p.url, rows).status == 204
        assert "wal/" in db("import", "--from=prometheus", d("a"), d("p"), code=1).stderr
        name = http(p.url + "/api/v1/admin/tsdb/snapshot", method="POST").json["data"]["name"]
        path = d("p", "snapshots", name)
        assert "1,500 samples" in db("import", "--from=prometheus", d("a"), path).stdout
        dump = samples(db("dump", d("a")).stdout)
        want = [f'm{{i="{i}"}} {float(k * i)} {now + k}.000' for i in range(5) for k in range(300)]
        assert dump == want, (dump[:3], want[:3])
        # A block with tombstones: Prometheus itself loads the snapshot and deletes from it.
        shutil.copytree(path, d("q"))
        with Prometheus(d("q")) as q:
            wait_for("the block", lambda: q and http(
                q.url + f"/api/v1/query?query=count(m)&time={now}").json["data"]["result"])
            reply = http(q.url + f"/api/v1/admin/tsdb/delete_series?match[]=m%7Bi=%223%22%7D"
                         f"&start={now + 10}&end={now + 19}", method="POST")
            assert reply.status == 204, reply.text
        out = db("import", "--from=prometheus", "--skip-wal", d("b"), d("q"))
        assert "10 samples had been deleted" in out.stdout, out
        assert samples(db("dump", d("b")).stdout) == [
            s for s in want if not ('i="3"' in s and now + 10 <= float(s.split()[-1]) <= now + 19)]


def zigzag(v):
    return varint((v << 1) ^ (v >> 63) if v >= 0 else (-v << 1) - 1)


def histogram(t_ms, buckets, floats=False, negative=(), zero=0, total=8.25, schema=1):
    """Remote write's message of a native histogram; buckets: {index: count}."""
    def side(spans_field, counts):
        if not counts:
            return b""
        out, packed, at, before = b"", b"", None, 0
        for index in sorted(counts):
            gap = index if at is None else index - at - 1
            out += field(spans_field, b"\x08" + zigzag(gap) + b"\x10\x01")
            n = counts[index]
            packed += struct.pack("<d", n) if floats else zigzag(n - before)
            at, before = index, n
        return out + field(spans_field + (2 if floats else 1), packed)

    negative = dict(negative)
    count = sum(buckets.values()) + sum(negative.values()) + zero
    out = (b"\x11" + struct.pack("<d", count) if floats else b"\x08" + varint(count))
    out += b"\x19" + struct.pack("<d", total) + b"\x20" + zigzag(schema)
    out += b"\x29" + struct.pack("<d", 2.0 ** -128)
    out += b"\x39" + struct.pack("<d", zero) if floats else b"\x30" + varint(zero)
    out += side(8, negative) + side(11, buckets)
    return field(4, out + b"\x78" + varint(t_ms))


@test
def native_histograms_of_prometheus_are_imported():
    now = int(time.time()) // 60 * 60 - 6000
    r = random.Random(5)
    body = b""
    for name, floats in (("ints", False), ("floats", True)):
        counts = {3: 1, 4: 2}
        points = b""
        for k in range(150):
            for index in list(counts):
                counts[index] += r.randint(0, 9)
            if k % 40 == 39:
                counts.setdefault(r.randint(-20, 40), 2)
            if k == 100:
                counts = {index: 1 for index in counts}
            scaled = {i: n + 0.5 for i, n in counts.items()} if floats else counts
            points += histogram((now + k * 15) * 1000, scaled, floats, zero=k,
                                negative={2: 0.25 * k} if floats else {2: k},
                                total=k * 1.75)
        body += field(1, field(1, field(1, b"__name__") + field(2, name.encode())) + points)
    queries = [f"{f}({m})" for m in ("ints", "floats")
               for f in ("histogram_count", "histogram_sum", "")]
    with Directory() as d, Prometheus(d("p"), "--enable-feature=native-histograms") as p:
        reply = http(p.url + "/api/v1/write", data=snappy(body), headers=WRITE_HEADERS)
        assert reply.status == 204, reply.text
        name = http(p.url + "/api/v1/admin/tsdb/snapshot", method="POST").json["data"]["name"]
        path = d("p", "snapshots", name)
        assert "300 samples" in db("import", "--from=prometheus", d("a"), path).stdout
        assert "all whole" in db("verify", d("a")).stdout
        assert "300 samples of native histograms" in db("dump", d("a")).stderr
        with Server("--no-watch.host", directory=d("a")) as s:
            for query in queries:
                params = {"query": query, "start": now + 7, "end": now + 2700, "step": 15}
                want = http(p.url + "/api/v1/query_range", data=params).json["data"]["result"]
                got = s.post("/api/v1/query_range", data=params).json["data"]["result"]
                assert len(want) == 1 and want == got, (query, str(want)[:300], str(got)[:300])


@test
def lines_of_victoria_metrics_are_imported():
    program = need("victoria-metrics")
    with Directory() as d:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        text = "".join(f'm{{i="{i}"}} {k * i / 8} {(BASE_S + k * 15) * 1000}\n'
                       for i in range(3) for k in range(500))
        process = subprocess.Popen(
            [program, f"-storageDataPath={d('vm')}", f"-httpListenAddr=127.0.0.1:{port}",
             "-retentionPeriod=100y"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def ready():
                try:
                    return http(url + "/health").status == 200
                except OSError:
                    return False
            wait_for("VictoriaMetrics", ready)
            assert http(url + "/api/v1/import/prometheus", data=text.encode()).status == 204
            http(url + "/internal/force_flush")
            export = wait_for("the export", lambda: http(
                url + "/api/v1/export?match[]=m").text)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
        assert len(export.split("\n")) >= 3
        db("import", "--from=victoriametrics", d("a"), "-", stdin=export)
        assert samples(db("dump", d("a")).stdout) == [
            f'm{{i="{i}"}} {k * i / 8} {BASE_S + k * 15}.000' for i in range(3) for k in range(500)]
        bad = export + '{"metric":{"a":"b"},"values":[1],"timestamps":[]}\n'
        number = len(export.rstrip("\n").split("\n")) + 1
        done = db("import", "--from=victoriametrics", d("b"), "-", stdin=bad, code=1)
        assert f"standard input:{number}:" in done.stderr, done
        assert db("dump", d("b")).stdout == "# EOF\n"


@test
def tools_work_beside_a_server():
    now = int(time.time() * 1000)
    rows = [({"__name__": "m", "i": str(i)}, [(i, now - k * 1000) for k in range(100)])
            for i in range(10)]
    with Server("--no-watch.host") as s:
        assert remote_write(s.url, rows).status == 204
        assert len(samples(db("dump", s.directory).stdout)) == 1000
        assert "1 records" in db("ls", s.directory).stdout
        assert "all whole" in db("verify", s.directory).stdout
        assert "1 records" in db("ls", os.path.join(s.directory, "metrics")).stdout
        done = db("import", "--from=openmetrics", s.directory, "-", stdin="a 1 1\n# EOF\n", code=1)
        assert "stop the server" in done.stderr, done
        s.stop()
        before = files_below(s.directory)
        for verb in ("ls", "verify", "dump"):
            db(verb, s.directory)
        assert files_below(s.directory) == before
        db("import", "--from=openmetrics", s.directory, "-", stdin=exposition())
        everything = samples(db("dump", s.directory).stdout)
        assert len(everything) == 3409
        with Server("--no-watch.host", "--storage.tsdb.retention.time=100y",
                    directory=s.directory) as again:
            assert again.query("count(m)")[0][1] == 10
            value = again.query('odd', time=BASE_S + 480)[0][1]
            assert value == 3, value
            help_text = again.get("/api/v1/metadata", metric="load").json["data"]["load"][0]["help"]
            assert help_text == "Load.", help_text


@test
def tools_work_beside_a_busy_server():
    """Every dump holds what was acknowledged before it, whole batches, while parts come and go."""
    now = int(time.time()) - 5000
    with Server("--no-watch.host", "--web.enable-admin-api") as s:
        done, failed = [0], []
        stop = threading.Event()

        def work(step):
            try:
                while not stop.is_set():
                    step()
            except Exception as e:  # told by the assertion below
                failed.append(e)

        def write():
            k = done[0]
            rows = [({"__name__": "m", "i": str(i)}, [(k, (now + k) * 1000)]) for i in range(100)]
            assert remote_write(s.url, rows).status == 204
            done[0] += 1

        flushes = [0]  # to come: fewer for each tool than it tries again, however slow it is

        def flush():
            wait_for("a tool", lambda: flushes[0] > 0 or stop.is_set())
            flushes[0] -= 1
            assert s.post("/api/v1/admin/tsdb/snapshot").status == 200

        threads = [threading.Thread(target=work, args=(step,)) for step in (write, flush)]
        for t in threads:
            t.start()
        try:
            wait_for("writes", lambda: done[0] > 5)
            for _ in range(8):
                before, flushes[0] = done[0], 8
                n = len(samples(db("dump", s.directory).stdout))
                assert n % 100 == 0 and before * 100 <= n <= (done[0] + 1) * 100, (before, n)
                flushes[0] = 4
                assert "all whole" in db("verify", s.directory).stdout
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert not failed, failed


@test
def damage_is_located():
    with Directory() as d:
        db("import", "--from=openmetrics", d("a"), "-", stdin=exposition())
        part = glob.glob(d("a", "metrics", "parts", "*.part"))[0]
        with open(part, "r+b") as f:
            f.seek(1000)
            byte = f.read(1)
            f.seek(1000)
            f.write(bytes([byte[0] ^ 16]))
        before = files_below(d("a"))
        done = db("verify", d("a"), code=1)
        assert os.path.basename(part) in done.stdout and "checksum" in done.stdout, done
        assert files_below(d("a")) == before
        os.truncate(part, 5000)
        assert os.path.basename(part) in db("verify", d("a"), code=1).stdout
        os.unlink(part)
        assert "missing" in db("verify", d("a"), code=1).stdout
        assert "cannot open" in db("verify", d("none"), code=1).stderr
        os.mkdir(d("empty"))
        assert "holds no storage" in db("ls", d("empty"), code=1).stderr


@test
def series_and_bytes_are_reported():
    with Directory() as d:
        db("import", "--from=openmetrics", d("a"), "-", stdin=exposition())
        out = db("stat", d("a")).stdout
        rows = {tuple(line.split(None, 1)) for line in out.split("\n") if line}
        for row in (("6", "series"), ("4", "label names"), ("9", "label pairs"),
                    ("2,409", "samples"), ("3", "http_requests_total"), ("1,200", "load"),
                    ("4", 'instance="a"')):
            assert row[0] in [r[0] for r in rows if len(r) > 1 and r[1] == row[1]], (row, out)
        assert "Churn by label pair" in out and "all of the parts" in out
        some = db("stat", d("a"), "--match", '{code="200"}', "--limit", "1").stdout
        assert "400  samples" in some and "load" not in some, some
        assert "--limit" in db("stat", d("a"), "--limit=x", code=1).stderr


@test
def copies_are_restored():
    with Directory() as d:
        db("import", "--from=openmetrics", d("a"), "-", stdin=exposition())
        want = db("dump", d("a")).stdout
        assert "2,409 samples in 1 parts" in db("restore", d("a"), d("b")).stdout
        assert db("dump", d("b")).stdout == want
        assert "not empty" in db("restore", d("a"), d("b"), code=1).stderr
        # One that was interrupted is begun anew.
        os.makedirs(d("c", "metrics.restoring", "parts"))
        with open(d("c", "metrics.restoring", "parts", "x"), "wb"):
            pass
        db("restore", d("a"), d("c"))
        assert os.listdir(d("c")) == ["metrics"] and db("dump", d("c")).stdout == want
        part = glob.glob(d("a", "metrics", "parts", "*.part"))[0]
        os.truncate(part, os.path.getsize(part) - 1)
        done = db("restore", d("a"), d("d"), code=1)
        assert "nothing was restored" in done.stderr and not os.listdir(d("d")), done
        with Server("--no-watch.host", "--storage.tsdb.retention.time=100y",
                    directory=d("c")) as s:
            assert s.query("odd", time=BASE_S + 480)[0][1] == 3


main()
