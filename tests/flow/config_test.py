#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Configuration: located errors, warnings, reload by signal and by request."""
import http.server
import os
import signal
import subprocess
import tempfile
import threading

from harness import NUNCHI, Server, main, test, wait_for

BAD = {
    "unknown key": ("global:\n  scrape_intervall: 5s\n", ":2:3:", 'did you mean "scrape_interval"?'),
    "wrong type": ("scrape_configs: 5\n", ":1:17:", ""),
    "bad duration": ("global:\n  scrape_interval: 5 minutes\n", ":2:20:", ""),
    "no job name": ("scrape_configs:\n- metrics_path: /m\n", ":2:3:", ""),
    "job twice": ("scrape_configs:\n- job_name: a\n- job_name: a\n", ":3:", ""),
    "bad regex": ("scrape_configs:\n- job_name: a\n  relabel_configs:\n  - regex: '('\n"
                  "    target_label: x\n", ":4:12:", ""),
    "timeout over interval": ("scrape_configs:\n- job_name: a\n  scrape_interval: 5s\n"
                              "  scrape_timeout: 10s\n", ":4:", ""),
    "broken yaml": ("global:\n  a: [1\n", ":", ""),
    "tab": ("global:\n\tscrape_interval: 5s\n", ":2:1:", ""),
    "key twice": ("global: {}\nglobal: {}\n", ":2:1:", ""),
    "bad action": ("scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: replce\n",
                   ":4:13:", 'did you mean "replace"?'),
}


def check(path, *flags):
    return subprocess.run([NUNCHI, "check", "config", *flags, path], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)


@test
def every_kind_of_fault_is_located():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "prometheus.yml")
        for name, (text, place, hint) in BAD.items():
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            done = check(path)
            assert done.returncode == 1, (name, done)
            assert path + place in done.stderr and "error:" in done.stderr, (name, done.stderr)
            assert "^" in done.stderr, (name, done.stderr)
            assert hint in done.stderr, (name, done.stderr)


@test
def what_is_not_built_is_a_warning_and_an_error_when_strict():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("rule_files: ['*.rules']\nscrape_configs:\n- job_name: a\n"
                    "  ec2_sd_configs: [{region: x}]\n")
        done = check(path)
        output = done.stdout + done.stderr
        assert done.returncode == 0, done
        assert ":1:1: warning:" in output and ":4:3: warning:" in output, output
        assert check(path, "--strict").returncode == 1
        with Server(f"--config.file={path}") as s:
            warnings = s.get("/api/v1/status/nunchi").json["data"]["warnings"]
            assert [(w["line"], w["column"]) for w in warnings] == [(1, 1), (4, 3)], warnings


class Exporter:
    """A page of metrics on a free port."""

    def __init__(self, page):
        self.page = page
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = outer.page.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()


def job(name, port, extra=""):
    return (f"- job_name: {name}\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n{extra}"
            f"  static_configs:\n  - targets: ['127.0.0.1:{port}']\n")


@test
def targets_are_scraped_and_relabelled():
    extra = ("  metric_relabel_configs:\n  - source_labels: [__name__]\n    regex: dropped_.*\n"
             "    action: drop\n")
    page = '# TYPE kept gauge\nkept{a="1"} 7\ndropped_this 1\n'
    with tempfile.TemporaryDirectory() as directory, Exporter(page) as exporter:
        path = os.path.join(directory, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("scrape_configs:\n" + job("a", exporter.port, extra))
        with Server(f"--config.file={path}") as s:
            rows = wait_for("the sample", lambda: s.query("kept"))
            assert rows == [({"__name__": "kept", "a": "1", "instance": f"127.0.0.1:{exporter.port}",
                              "job": "a"}, 7.0)], rows
            assert not s.query("dropped_this")
            assert s.query('scrape_samples_post_metric_relabeling{job="a"}')[0][1] == 1
            target = s.get("/api/v1/targets").json["data"]["activeTargets"][0]
            assert target["health"] == "up" and target["scrapeInterval"] == "200ms", target
            meta = s.get("/api/v1/metadata", metric="kept").json["data"]
            assert meta == {"kept": [{"type": "gauge", "help": "", "unit": ""}]}, meta
            exporter.page = "other 1\n"
            wait_for("the end of the series", lambda: not s.query("kept"))


@test
def a_reload_takes_all_or_nothing():
    with tempfile.TemporaryDirectory() as directory, Exporter("m 1\n") as exporter:
        path = os.path.join(directory, "prometheus.yml")

        def write(text):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)

        write("scrape_configs:\n" + job("one", exporter.port))
        with Server(f"--config.file={path}", "--web.enable-lifecycle") as s:
            wait_for("job one", lambda: s.query('up{job="one"} == 1'))
            write("scrape_configs:\n" + job("two", exporter.port) + "- job_nam: x\n")
            reply = s.post("/-/reload")
            assert reply.status == 400, reply.text
            for words in (f"{path}:7:3: error:", "did you mean \"job_name\"?"):
                assert words in reply.text, reply.text
            assert s.get("/api/v1/scrape_pools").json["data"]["scrapePools"] == ["one"]
            assert s.query("nunchi_config_last_reload_successful") == []
            write("scrape_configs:\n" + job("two", exporter.port))
            assert s.post("/-/reload").status == 200
            wait_for("job two", lambda: s.query('up{job="two"} == 1'))
            wait_for("the end of job one", lambda: not s.query('up{job="one"}'))
            write("scrape_configs:\n" + job("three", exporter.port))
            s.process.send_signal(signal.SIGHUP)
            wait_for("job three", lambda: s.query('up{job="three"} == 1'))


@test
def a_reload_needs_its_flag_and_its_own_origin():
    with Server() as s:
        assert s.post("/-/reload").status == 403
    with Server("--web.enable-lifecycle") as s:
        assert s.post("/-/reload").status == 200
        assert s.post("/-/reload", headers={"Origin": "http://evil.example"}).status == 403
        assert s.post("/-/reload", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
        assert s.post("/-/reload", headers={"Host": "evil.example"}).status == 403
        assert s.get("/-/reload").status == 405


@test
def secrets_are_never_shown():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("scrape_configs:\n- job_name: a\n  basic_auth: {username: u, password: CANARY1}\n"
                    "- job_name: b\n  authorization: {credentials: CANARY2}\n")
        with Server(f"--config.file={path}") as s:
            shown = s.get("/api/v1/status/config").json["data"]["yaml"]
            assert "<secret>" in shown and "job_name: a" in shown, shown
            for url in ("/api/v1/status/config", "/api/v1/targets", "/metrics",
                        "/api/v1/status/nunchi", "/api/v1/status/flags"):
                assert "CANARY" not in s.get(url).text, url
            assert "CANARY" not in s.output()


main()
