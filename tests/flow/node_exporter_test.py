#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's node_exporter, scraped beside the built-in collectors, gives the same."""
import contextlib
import os
import subprocess
import tempfile

from harness import ROOT, Server, free_port, http, main, need, test, wait_for

COLLECTORS = ("cpu meminfo loadavg filesystem diskstats netdev stat uname time vmstat pressure "
              "filefd").split()
# Debian's package leaves out more than upstream by default; these are upstream's defaults.
UPSTREAM = ["--collector.netdev.device-exclude=^$",
            r"--collector.diskstats.device-exclude=^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$",
            "--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|"
            "var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"]
# Gauges of use: they change between two readings by as much as the machine is busy, so what is
# compared of them is that both sides have them.
USE = ("node_memory_", "node_load", "node_procs_", "node_filefd_allocated", "node_disk_io_now",
       "node_filesystem_avail_bytes", "node_filesystem_free_bytes", "node_filesystem_files_free")
# Of memory, what never changes.
FIXED = ("node_memory_MemTotal_bytes", "node_memory_SwapTotal_bytes", "node_memory_VmallocTotal_bytes")
# What only some releases have: of meminfo, later ones take only the lines that they know.
MORE = ("node_filesystem_mount_info", "node_memory_")
NOT_COMPARED = ("job", "instance", "rotational")
# What counts up, beside the names that end in _total.
MOVES = ("node_time_seconds", "node_vmstat_", "node_scrape_collector_")


@contextlib.contextmanager
def node_exporter():
    port = free_port()
    process = subprocess.Popen(
        [need("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{port}",
         "--collector.disable-defaults", *UPSTREAM, *[f"--collector.{c}" for c in COLLECTORS]],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def answers():
            with contextlib.suppress(OSError):
                return http(f"http://127.0.0.1:{port}/metrics").status == 200
        wait_for("node_exporter", answers)
        yield port
    finally:
        process.terminate()
        process.wait()


def node_series(s, job):
    rows = s.query('{__name__=~"node_.*",job="%s"}' % job)
    out = {}
    for labels, value in rows:
        labels = {k: v for k, v in labels.items() if k not in NOT_COMPARED}
        out[tuple(sorted(labels.items()))] = value
    return out


def without_broken_filesystems(series):
    """Which series stay of a filesystem that fails, and its labels, differ among releases."""
    broken = {dict(k)["mountpoint"] for k, v in series.items()
              if dict(k)["__name__"] == "node_filesystem_device_error" and v == 1}
    kept = {k: v for k, v in series.items() if dict(k).get("mountpoint") not in broken}
    return broken, kept


@test
def both_give_the_same_series_and_values():
    with node_exporter() as port, tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("scrape_configs:\n- job_name: exporter\n  scrape_interval: 1s\n  scrape_timeout: "
                    f"1s\n  static_configs:\n  - targets: ['127.0.0.1:{port}']\n")
        with Server(f"--config.file={path}", "--watch.host", "--watch.interval=1s") as s:
            wait_for("both", lambda: len(s.query('up{job=~"node|exporter"} == 1')) == 2)
            theirs, ours = node_series(s, "exporter"), node_series(s, "node")
            meta = s.get("/api/v1/metadata").json["data"]
    (their_broken, theirs), (our_broken, ours) = map(without_broken_filesystems, (theirs, ours))
    assert their_broken == our_broken, f"{their_broken} fail there, {our_broken} here"
    shared = {"node_scrape_collector_duration_seconds", "node_scrape_collector_success"}
    missing = [k for k in theirs if k not in ours and dict(k)["__name__"] != "node_exporter_build_info"]
    assert not missing, f"{len(missing)} series are missing, first {missing[:5]}"
    extra = [k for k in ours if k not in theirs and not dict(k)["__name__"].startswith(MORE)]
    assert not extra, f"{len(extra)} series of ours are not theirs, first {extra[:5]}"
    compared, far = 0, []
    for key, value in theirs.items():
        name = dict(key)["__name__"]
        if key not in ours or name in shared or (name.startswith(USE) and name not in FIXED):
            continue
        compared += 1
        moves = name.endswith("_total") or name.startswith(MOVES) or "intr" in name
        allowed = 0.05 * abs(value) + 1e9 * name.endswith("_bytes_total") + 1e4 if moves else 0
        if not abs(ours[key] - value) <= allowed and ours[key] == ours[key]:
            far.append((name, value, ours[key]))
    assert not far, f"{len(far)} values differ, first {far[:5]}"
    assert compared > 100 and meta["node_load1"][0]["type"] == "gauge"
    assert all(len(rows) == 1 for name, rows in meta.items() if name.startswith("node_")), \
        "type or help differ: " + str([n for n, r in meta.items() if len(r) > 1][:5])
    print(f"# {compared} series compared, the same names, labels and values")


main()
