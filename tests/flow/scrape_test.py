#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scraping over HTTP: what is asked, what answers are taken, what each failure says and leaves."""
import base64
import collections
import contextlib
import gzip
import http.server
import os
import signal
import re
import socket
import tempfile
import threading
import time

from harness import Server, main, test, wait_for

TEXT = "text/plain; version=0.0.4"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
ACCEPT = ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
          "application/openmetrics-text;version=0.0.1;q=0.5,"
          "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"
          "*/*;q=0.2")


class Page:
    """What a path answers; `hang` is waited for before the head or, with a body, inside of it."""

    def __init__(self, body="fine 1\n", kind=TEXT, status=200, headers=(), hang=None, zip=False):
        self.body, self.kind, self.status = body, kind, status
        self.headers, self.hang, self.zip = dict(headers), hang, zip


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment: no waiting for delayed acknowledgements

    def log_message(self, *args):
        pass

    def do_GET(self):
        exporter = self.server.exporter
        page = exporter.pages.get(self.path.split("?")[0], Page(status=404))
        exporter.requests.append((self.path, self.headers))
        page = page(self) if callable(page) else page
        if page.hang == "head":
            exporter.over.wait()
            self.close_connection = True
            return
        body = page.body if isinstance(page.body, bytes) else page.body.encode()
        if page.zip:
            assert "gzip" in self.headers.get("Accept-Encoding", ""), "gzip was not asked for"
            body = gzip.compress(body)
        self.send_response(page.status)
        if page.kind:
            self.send_header("Content-Type", page.kind)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if page.zip:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body) + (page.hang == "body")))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)
            if page.hang == "body":
                self.wfile.flush()
                exporter.over.wait()
                self.close_connection = True


class Exporter(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, **pages):
        super().__init__(("127.0.0.1", 0), Handler)
        self.exporter = self
        self.pages = {"/" + name: page for name, page in pages.items()}
        self.requests = []
        self.over = threading.Event()
        self.address = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02},
                         daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that went away

    def __exit__(self, *args):
        self.over.set()
        self.shutdown()
        self.server_close()

    def asked(self, path="/metrics"):
        """The first request of a path: (path with parameters, headers)."""
        return wait_for(f"a request of {path}", lambda: next(
            (r for r in list(self.requests) if r[0].split("?")[0] == path), None))


class Scraping:
    """A server that runs `jobs`, text of the list under scrape_configs."""

    def __init__(self, jobs, *flags, head="", interval="200ms", timeout="200ms"):
        self.directory = tempfile.TemporaryDirectory(prefix="nunchi-scrape-")
        self.path = os.path.join(self.directory.name, "prometheus.yml")
        self.head = (f"global:\n  scrape_interval: {interval}\n  scrape_timeout: {timeout}\n"
                     f"{head}\nscrape_configs:\n")
        self.write(jobs)
        self.server = Server(f"--config.file={self.path}", *flags)

    def write(self, jobs):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(self.head + jobs)

    def reload(self, jobs):
        before = self.counter("nunchi_config_reloads_total")
        self.write(jobs)
        self.server.process.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: self.counter("nunchi_config_reloads_total") > before)
        assert self.counter("nunchi_config_last_reload_successful") == 1

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *args):
        self.server.__exit__(*args)
        self.directory.cleanup()

    def query(self, expr, **params):
        return self.server.query(expr, **params)

    def targets(self, **params):
        return self.server.get("/api/v1/targets", **params).json["data"]

    def target(self, job):
        """The only active target of a job, once it was scraped."""
        def scraped():
            rows = [t for t in self.targets()["activeTargets"] if t["scrapePool"] == job]
            return len(rows) == 1 and rows[0]["health"] != "unknown" and rows[0]
        return wait_for(f"a scrape of {job}", scraped)

    def wait_error(self, job, text):
        self.wait_up(job, 0)
        wait_for(f"an error of {job} with {text}",
                 lambda: re.search(text, self.target(job)["lastError"] or ""))

    def counter(self, row):
        for line in self.server.get("/metrics").text.split("\n"):
            if line.startswith(row + " "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"/metrics has no {row}")

    def failures(self, reason):
        return self.counter(f'nunchi_scrape_failures_total{{reason="{reason}"}}')

    def wait_up(self, job, value):
        """On a busy machine a scrape may take longer than its time; what comes in the end counts."""
        try:
            wait_for(f"up of {job}", lambda: [v for _, v in self.query(f'up{{job="{job}"}}')] == [value])
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.target(job)}") from e


def job(name, exporter, *lines, path=None):
    address = exporter if isinstance(exporter, str) else exporter.address
    text = [f"- job_name: {name}", f"  metrics_path: /{path or 'metrics'}",
            f"  static_configs: [{{targets: ['{address}']}}]"]
    return "\n".join(text + ["  " + line for line in lines]) + "\n"


# ---- what is asked ----

@test
def requests_carry_what_upstream_sends():
    with Exporter(metrics=Page()) as exporter, Scraping(
            job("plain", exporter, "params: {module: [a b, c], 'x[]': ['1&2']}",
                "relabel_configs: [{target_label: __param_target, replacement: 'http://é/'}]"),
            timeout="150ms") as s:
        path, headers = exporter.asked()
        s.wait_up("plain", 1)
    assert sorted(path.split("?")[1].split("&")) == [
        "module=a+b", "module=c", "target=http%3A%2F%2F%C3%A9%2F", "x%5B%5D=1%262"], path
    assert headers["Accept"] == ACCEPT, headers["Accept"]
    assert headers["Accept-Encoding"] == "gzip"
    assert headers["User-Agent"].startswith("nunchi/")
    assert headers["X-Prometheus-Scrape-Timeout-Seconds"] == "0.15"
    assert headers["Host"] == exporter.address
    assert headers["Authorization"] is None


@test
def protocols_and_escaping_are_negotiated():
    with Exporter(metrics=Page()) as exporter, Scraping(job(
            "text", exporter, "scrape_protocols: [PrometheusText0.0.4, OpenMetricsText1.0.0]",
            "metric_name_validation_scheme: legacy", "metric_name_escaping_scheme: underscores",
            "enable_compression: false")) as s:
        headers = exporter.asked()[1]
        s.wait_up("text", 1)
    assert headers["Accept"] == ("text/plain;version=0.0.4;q=0.6,application/openmetrics-text;"
                                 "version=1.0.0;escaping=underscores;q=0.5,*/*;q=0.4")
    assert headers["Accept-Encoding"] in (None, "identity")


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@test
def credentials_and_headers_arrive():
    with Exporter(**{n: Page() for n in "abcdefg"}) as exporter, tempfile.NamedTemporaryFile(
            "w+", suffix=".secret") as secret:
        secret.write(" from-file\n")
        secret.flush()
        jobs = "".join((
            job("a", exporter, "basic_auth: {username: user, password: 'p:ä'}", path="a"),
            job("b", exporter, f"basic_auth: {{username: user, password_file: {secret.name}}}", path="b"),
            job("c", exporter, "authorization: {credentials: token}", path="c"),
            job("d", exporter, f"authorization: {{credentials_file: {secret.name}}}", path="d"),
            job("e", exporter, "authorization: {type: Token, credentials: other}", path="e"),
            job("f", exporter, "http_headers:", "  X-Plain: {values: [one, two]}",
                "  X-Secret: {secrets: [hidden]}", f"  X-File: {{files: [{secret.name}]}}", path="f"),
            job("g", exporter, "authorization: {credentials_file: /nowhere/at/all}", path="g")))
        with Scraping(jobs) as s:
            got = {n: exporter.asked("/" + n)[1] for n in "abcdef"}
            s.wait_error("g", "/nowhere/at/all")
            # A file that is rotated is read again.
            secret.seek(0)
            secret.truncate()
            secret.write("rotated")
            secret.flush()
            wait_for("the new credentials", lambda: exporter.requests and any(
                h["Authorization"] == "Bearer rotated" for p, h in list(exporter.requests)))
            s.wait_up("g", 0)
            config = s.server.get("/api/v1/status/config").text
    assert got["a"]["Authorization"] == basic("user", "p:ä")
    assert got["b"]["Authorization"] == basic("user", "from-file")
    assert got["c"]["Authorization"] == "Bearer token"
    assert got["d"]["Authorization"] == "Bearer from-file"
    assert got["e"]["Authorization"] == "Token other"
    assert got["f"].get_all("X-Plain") == ["one", "two"]
    assert got["f"]["X-Secret"] == "hidden" and got["f"]["X-File"] == "from-file"
    assert not any(p.startswith("/g") for p, h in exporter.requests)
    assert "hidden" not in config and "p:ä" not in config and "token" not in config.lower().replace(
        "type: token", ""), config


# ---- what is taken ----

@test
def gzip_bodies_are_read():
    lines = "".join(f'many{{n="{i}"}} {i}\n' for i in range(2000))
    with Exporter(metrics=Page(lines, zip=True)) as exporter, Scraping(job("zip", exporter)) as s:
        s.wait_up("zip", 1)
        assert s.query("sum(many)")[0][1] == sum(range(2000))
        assert s.query("scrape_samples_scraped")[0][1] == 2000


@test
def openmetrics_pages_are_read_with_metadata():
    page = ('# TYPE done_seconds counter\n# UNIT done_seconds seconds\n# HELP done_seconds How long.\n'
            'done_seconds_total 3 # {trace_id="1"} 1\n# EOF\n')
    with Exporter(metrics=Page(page, OPENMETRICS), cut=Page(page[:-6], OPENMETRICS)) as exporter, \
            Scraping(job("om", exporter) + job("cut", exporter, path="cut")) as s:
        s.wait_up("om", 1)
        assert s.query('done_seconds_total{job="om"}')[0][1] == 3
        meta = s.server.get("/api/v1/metadata", metric="done_seconds").json["data"]
        s.wait_error("cut", "without # EOF")
    assert list(meta.values())[0][0] == {"type": "counter", "unit": "seconds", "help": "How long."}, meta


@test
def created_lines_are_samples_or_starts():
    born = int(time.time()) - 30
    page = Page(f"# TYPE done counter\ndone_total 3\ndone_created {born}.25\n"
                f"# TYPE took histogram\ntook_bucket{{le=\"+Inf\"}} 2\ntook_count 2\ntook_sum 5\n"
                f"took_created {born}\n# EOF\n", OPENMETRICS)
    protobuf = "application/vnd.google.protobuf"

    def samples(s, expr):
        return {float(t): v for t, v in s.server.get(
            "/api/v1/query", query=expr + "[5m]").json["data"]["result"][0]["values"]}

    with Exporter(metrics=page) as exporter:
        with Scraping(job("om", exporter)) as s:
            s.wait_up("om", 1)
            assert s.query("done_created")[0][1] == born + 0.25
            assert "0" not in samples(s, "done_total").values()
            assert protobuf not in exporter.asked()[1]["Accept"]
            assert s.query("scrape_samples_scraped")[0][1] == 6
        for feature, zeros in (("st-storage", False), ("created-timestamp-zero-ingestion", True)):
            exporter.requests.clear()
            with Scraping(job("om", exporter) +
                          job("own", exporter, "scrape_protocols: [OpenMetricsText1.0.0]"),
                          f"--enable-feature={feature}") as s:
                s.wait_up("om", 1)
                s.wait_up("own", 1)
                assert s.query('{__name__=~".*_created"}') == [], feature
                assert s.query('scrape_samples_scraped{job="om"}')[0][1] == 4
                done, took = samples(s, 'done_total{job="om"}'), samples(s, 'took_count{job="om"}')
                assert (done.get(born + 0.25) == "0") == zeros, (feature, done)
                assert (took.get(float(born)) == "0") == zeros, (feature, took)
                if zeros:
                    assert 2.9 < s.query('increase(done_total{job="om"}[40s])')[0][1] < 5
                asked = [h["Accept"].startswith(protobuf) for _, h in list(exporter.requests)]
                assert True in asked and False in asked, asked


@test
def labels_of_target_or_page_win_as_configured():
    page = Page('a{job="own",instance="",exported_job="x"} 1\n')
    with Exporter(metrics=page) as exporter, Scraping(
            job("renames", exporter) + job("honors", exporter, "honor_labels: true")) as s:
        s.wait_up("renames", 1)
        s.wait_up("honors", 1)
        renamed = s.query('a{job="renames"}')[0][0]
        honored = s.query('a{job="own"}')[0][0]
    assert renamed["exported_exported_job"] == "own" and renamed["exported_job"] == "x", renamed
    assert honored["job"] == "own" and honored["exported_job"] == "x", honored
    assert "instance" not in honored or honored["instance"] == exporter.address, honored


@test
def timestamps_of_the_page_count_as_configured():
    started = int(time.time()) - 60
    with Exporter(metrics=Page(f"old 1 {started * 1000}\nnow 2\n")) as exporter, Scraping(
            job("honors", exporter) + job("ignores", exporter, "honor_timestamps: false")) as s:
        wait_for("samples", lambda: len(s.query("now")) == 2 and len(s.query("old")) == 2)
        at = {ls["job"]: t for ls, t in s.query("timestamp(old)")}
        assert at["honors"] == started and at["ignores"] > started + 30, (at, started)


@test
def vanished_series_and_failed_scrapes_go_stale():
    with Exporter(metrics=Page("stays 1\ngoes 1\n")) as exporter, Scraping(job("j", exporter)) as s:
        wait_for("both", lambda: s.query("goes") and s.query("stays"))
        exporter.pages["/metrics"] = Page("stays 1\n")
        wait_for("staleness of one series", lambda: not s.query("goes"))
        s.wait_up("j", 1)
        exporter.pages["/metrics"] = Page("stays 1\n", status=500)
        wait_for("staleness of all", lambda: not s.query("stays"))
        wait_for("up of 0", lambda: ({ls["__name__"]: v for ls, v in s.query('{job="j"}')}).get("up") == 0)
        s.wait_error("j", "status 500")
        exporter.pages["/metrics"] = Page("stays 1\ngoes 2\n")
        wait_for("both again", lambda: s.query("goes") and s.query("stays"))
        s.wait_up("j", 1)
        exporter.pages["/metrics"] = Page("stays 1\ngoes 2\nbroken{\n")
        wait_for("staleness after a page that ends amid a line", lambda: not s.query("stays"))
        s.wait_error("j", "line 3")


@test
def redirects_are_followed_or_not():
    def to(where):
        return Page(status=302, headers={"Location": where})
    with Exporter(other=Page()) as far, Exporter(
            near=to("/end"), end=Page(), loop=to("/loop"), far=to(f"http://{far.address}/other")
            ) as exporter:
        secret = "authorization: {credentials: secret}"
        jobs = "".join((
            job("near", exporter, secret, path="near"),
            job("loop", exporter, path="loop"),
            job("stays", exporter, "follow_redirects: false", path="near"),
            job("far", exporter, secret, path="far")))
        with Scraping(jobs) as s:
            s.wait_up("near", 1)
            assert exporter.asked("/end")[1]["Authorization"] == "Bearer secret"
            s.wait_error("loop", "more than 10 redirects")
            s.wait_error("stays", "302")
            # A redirect to another host is somebody else's address: no loopback, no credentials.
            s.wait_error("far", "loopback")
        assert not far.requests


# ---- what fails ----

BIG = "".join(f'big{{n="{i}"}} 1\n' for i in range(500))
REPORT = {"up", "scrape_duration_seconds", "scrape_samples_scraped",
          "scrape_samples_post_metric_relabeling", "scrape_series_added"}
FAILURES = (  # name, page, lines of the job, reason, what the error says
    ("error 500", Page(status=500), (), "status", "server returned HTTP status 500"),
    ("wrong type", Page(kind="text/html"), (), "content_type", '"text/html"'),
    ("no type", Page(kind=None), (), "content_type", "fallback_scrape_protocol"),
    ("body", Page(BIG), ("body_size_limit: 1000B",), "body_size_limit", "1000 bytes"),
    ("zipped body", Page(BIG, zip=True), ("body_size_limit: 2000B",), "body_size_limit", "2000 bytes"),
    ("samples", Page(BIG), ("sample_limit: 499",), "sample_limit", "sample_limit: more than 499"),
    ("labels", Page('a{b="c"} 1\n'), ("label_limit: 3",), "label_limit", "label_limit"),
    ("label name", Page('a{long_name="c"} 1\n'), ("label_name_length_limit: 8",), "label_limit",
     "label_name_length_limit"),
    ("label value", Page('a{b="' + "c" * 90 + '"} 1\n'), ("label_value_length_limit: 50",),
     "label_limit", "label_value_length_limit"),
    ("hang in head", Page(hang="head"), (), "timeout", "time-out after 1000 ms during waiting"),
    ("hang in body", Page(hang="body"), (), "timeout", "time-out after 1000 ms during the body"),
    ("not the format", Page("a 1\n}{\n"), (), "parse", 'line 2, column 1: expected a metric name'),
    ("not text", Page(b"\xff\xfe\x00{\n"), (), "parse", "line 1"),
    ("no such zone", "nowhere.invalid:80", (), "fetch", "nowhere.invalid"),
    ("refused", "refused", (), "fetch", "onnect"),
    ("metadata", "169.254.169.254:80", (), "fetch", "cloud metadata"),
    ("metadata in IPv6", "[::ffff:169.254.169.254]:80", (), "fetch", "cloud metadata"),
)


@test
def failures_say_what_they_are():
    with contextlib.ExitStack() as stack:
        closed = stack.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))  # and does not listen
        jobs, where = "", {"refused": f"127.0.0.1:{closed.getsockname()[1]}"}
        for name, page, lines, reason, says in FAILURES:
            jobs += job(f"'{name}'", where.get(page, page) if isinstance(page, str)
                        else stack.enter_context(Exporter(metrics=page)), *lines)
        s = stack.enter_context(Scraping(jobs, interval="1s", timeout="1s"))
        for name, page, lines, reason, says in FAILURES:
            target = s.target(name)
            assert target["health"] == "down" and says in target["lastError"], (name, target)
            s.wait_up(name, 0)
            rows = {ls["__name__"] for ls, v in s.query(f'{{job="{name}"}}')}
            assert rows == REPORT, (name, rows)
        reasons = collections.Counter(row[3] for row in FAILURES)
        for reason in ("fetch", "timeout", "status", "body_size_limit", "content_type", "parse",
                       "sample_limit", "label_limit", "series_per_target", "target_limit", "emit",
                       "overload", "store"):
            n = s.failures(reason)
            assert n >= reasons[reason] and (n > 0) == (reasons[reason] > 0), (reason, n)


@test
def limits_that_are_just_kept():
    with Exporter(metrics=Page(BIG), none=Page(kind=None), odd=Page(kind="text/html")) as exporter:
        fallback = "fallback_scrape_protocol: PrometheusText0.0.4"
        jobs = "".join((
            job("samples", exporter, "sample_limit: 500"),
            job("body", exporter, f"body_size_limit: {len(BIG) + 1}B"),
            job("labels", exporter, "label_limit: 4"),
            job("none", exporter, fallback, path="none"),
            job("odd", exporter, fallback, path="odd")))
        with Scraping(jobs) as s:
            for name in ("samples", "body", "labels", "none", "odd"):
                s.wait_up(name, 1)


@test
def a_peer_that_breaks_off_or_talks_nonsense():
    def serve(listener, reply):
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                with connection:
                    connection.recv(65536)
                    connection.sendall(reply)
    replies = {
        "nothing": (b"", "mpty reply"),
        "nonsense": (b"220 mail.example ESMTP\r\n", "HTTP/0.9"),
        "short": (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\na 1\n",
                  "bytes (remaining|missing)"),
        "bad zip": (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"
                    b"Content-Length: 4\r\n\r\nabcd", "content unencoding"),
        "headers": (b"HTTP/1.1 200 OK\r\n" + 80 * (b"X: " + b"y" * 1000 + b"\r\n") + b"\r\n", "headers"),
    }
    with contextlib.ExitStack() as stack:
        jobs = ""
        for name, (reply, says) in replies.items():
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            threading.Thread(target=serve, args=(listener, reply), daemon=True).start()
            jobs += job(name, f"127.0.0.1:{listener.getsockname()[1]}")
        with Scraping(jobs) as s:
            for name, (reply, says) in replies.items():
                s.wait_error(name, says)


# ---- targets come and go ----

@test
def dropped_targets_are_shown():
    lines = ("relabel_configs:", "- {source_labels: [__address__], regex: 'gone.*', action: drop}",
             "- {target_label: team, replacement: a}")
    jobs = job("j", "gone.example:1', '127.0.0.1:1", *lines)
    with Scraping(jobs) as s:
        data = s.targets()
        assert [t["labels"]["team"] for t in data["activeTargets"]] == ["a"]
        assert [t["discoveredLabels"]["__address__"] for t in data["droppedTargets"]] == ["gone.example:1"]
        assert sum(data["droppedTargetCounts"].values()) == 1, data["droppedTargetCounts"]
        assert s.targets(state="active")["droppedTargets"] == []
        assert s.targets(state="dropped")["activeTargets"] == []
        assert s.server.get("/api/v1/scrape_pools").json["data"]["scrapePools"] == ["j"]


@test
def a_target_that_changes_its_instance_ends_the_old_series():
    def named(name):
        return job("j", exporter, "relabel_configs: [{target_label: instance, replacement: %s}]" % name)
    with Exporter(metrics=Page("a 1\n")) as exporter, Scraping(named("one")) as s:
        wait_for("the first name", lambda: s.query('a{instance="one"}'))
        s.reload(named("two"))
        wait_for("the second name", lambda: s.query('a{instance="two"}'))
        wait_for("the end of the first", lambda: not s.query('{instance="one"}'))
        assert len(s.query("up")) == 1
        s.reload("  []\n")
        wait_for("the end of all", lambda: not s.query('{job="j"}'))
        assert s.targets()["activeTargets"] == []


@test
def connections_are_kept():
    ports = set()

    def page(handler):
        ports.add(handler.client_address[1])
        return Page()
    with Exporter(metrics=page) as exporter, Scraping(job("j", exporter), interval="100ms",
                                                      timeout="100ms") as s:
        wait_for("ten scrapes", lambda: len(exporter.requests) >= 10)
        s.wait_up("j", 1)
    assert len(ports) <= 2, f"{len(ports)} connections for {len(exporter.requests)} scrapes"


main()
