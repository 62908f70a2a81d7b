#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""promtool, unchanged, talks to nunchi: it prints the same as beside Prometheus with the same samples."""
import json
import os
import re
import subprocess
import tempfile

import demo
from peers import FOREVER, Pair
from harness import NUNCHI, PATIENCE_S, Server, main, need, test

AT = f"{demo.START_S + 600}.500"
SPAN = (f"--start={demo.START_S + 600}", f"--end={demo.START_S + 1500}")
# URL stands for the server.
COMMANDS = (
    ("query", "instant", f"--time={AT}", "URL", "sum by (mode) (rate(demo_cpu_usage_seconds_total[5m]))"),
    ("query", "instant", f"--time={AT}", "-o", "json", "URL", "demo_memory_usage_bytes"),
    ("query", "instant", f"--time={AT}", "URL", "demo_num_cpus[2m]"),
    ("query", "instant", f"--time={AT}", "URL", "scalar(demo_num_cpus{instance=~'.*0'})"),
    ("query", "instant", f"--time={AT}", "URL", "nothing"),
    ("query", "instant", "URL", "vector(1) == 2"),
    ("query", "range", *SPAN, "--step=37s", "URL", "demo_disk_usage_bytes"),
    ("query", "range", *SPAN, "--step=2m", "-o", "json", "URL", "histogram_quantile(0.9, sum by (le) "
     "(rate(demo_api_request_duration_seconds_bucket[5m])))"),
    ("query", "range", *SPAN, "--step=1m", "--header=X-Scope=none", "URL", "time()"),
    ("query", "series", "--match=demo_num_cpus", "--match=up{instance=~'.*[12]'}", *SPAN, "URL"),
    ("query", "labels", *SPAN, "URL", "le"),
    ("query", "labels", *SPAN, "--match=demo_memory_usage_bytes", "URL", "type"),
    ("query", "labels", *SPAN, "URL", "__name__"),
)
# What fails, and what it says.
REFUSED = (("rate(demo_num_cpus)", "expected type range vector"), ("demo_num_cpus{", "parse error"),
           ("demo_num_cpus * on (job) demo_cpu_usage_seconds_total", "many-to-many matching not allowed"))
EXPRESSION = "sum by (mode) (rate(demo_cpu_usage_seconds_total[5m]))"
RULES = """groups:
- name: demo
  interval: 1m
  rules:
  - record: mode:cpu:rate5m
    expr: """ + EXPRESSION + "\n"


def promtool(*args, stdin="", code=0):
    done = subprocess.run([need("promtool"), *args], capture_output=True, text=True, input=stdin,
                          timeout=PATIENCE_S, check=False)
    assert done.returncode == code, (args, done)
    return done


def knows(*command):
    """Newer ones have more commands."""
    return subprocess.run([need("promtool"), *command, "--help"], capture_output=True, timeout=PATIENCE_S,
                          check=False).returncode == 0


def lines(text):
    """Series of a vector come in no order, and the last digits of a sum depend on theirs."""
    text = re.sub(r"\d+\.\d{9,}", lambda m: f"{float(m.group()):.10g}", text)
    if text.startswith("["):
        return sorted(json.dumps(row, sort_keys=True) for row in json.loads(text))
    return sorted(text.split("\n"))


@test
def queries_print_the_same():
    with Pair() as pair:
        for command in COMMANDS:
            ours, theirs = (promtool(*(url if a == "URL" else a for a in command)).stdout
                            for url in (pair.server.url, pair.theirs_url))
            assert lines(ours) == lines(theirs), (command, ours, theirs)
        for query, why in REFUSED:
            for url in (pair.server.url, pair.theirs_url):
                said = promtool("query", "instant", f"--time={AT}", url, query, code=1).stderr
                assert why in said, said


@test
def metrics_are_without_reproach():
    with Server() as s:
        for extended in ((), ("--extended",)):
            if extended and "--extended" not in promtool("check", "metrics", "--help").stdout:
                continue
            done = promtool("check", "metrics", *extended, stdin=s.get("/metrics").text)
            assert not done.stderr.strip(), done.stderr
        for command in ("healthy", "ready"):
            if knows("check", command):
                promtool("check", command, f"--url={s.url}")


@test
def rules_are_backfilled():
    """promtool evaluates a rule by our range queries, and we import its blocks: the same values."""
    with tempfile.TemporaryDirectory(prefix="nunchi-rules-") as directory:
        rules, blocks = os.path.join(directory, "rules.yml"), os.path.join(directory, "blocks")
        store = os.path.join(directory, "store")
        with open(rules, "w", encoding="utf-8") as f:
            f.write(RULES)
        with Server("--no-watch.host", FOREVER) as s:
            demo.write(s.url)
            promtool("tsdb", "create-blocks-from", "rules", *SPAN, f"--url={s.url}",
                     f"--output-dir={blocks}", rules)
        subprocess.run([NUNCHI, "db", "import", "--from=prometheus", store, blocks], check=True,
                       capture_output=True, timeout=PATIENCE_S)
        with Server("--no-watch.host", FOREVER, directory=store) as s:
            demo.write(s.url)
            at = s.query("timestamp(mode:cpu:rate5m{mode='idle'})", time=demo.START_S + 1200)[0][1]
            for way in ("unless ignoring (__name__)", "=="):
                left = s.query(f"mode:cpu:rate5m {way} {EXPRESSION}", time=at)
                assert len(left) == 3 * (way == "=="), (way, left)


main()
