#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starting, watching this host, stopping, and the things that go wrong at the start."""
import os
import signal
import socket
import subprocess
import tempfile

from harness import NUNCHI, Server, free_port, main, resident_bytes, test, wait_for


def nunchi(*args):
    return subprocess.run([NUNCHI, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=60)


@test
def with_no_configuration_it_watches_this_host_and_itself():
    with Server() as s:
        up = wait_for("up of both jobs", lambda: len(s.query("up == 1")) == 2 and s.query("up"))
        assert {labels["job"] for labels, _ in up} == {"node", "nunchi"}, up
        for expr in ("node_load1", "node_memory_MemTotal_bytes", "node_uname_info",
                     "process_resident_memory_bytes", "nunchi_build_info"):
            assert s.query(expr), f"{expr} gave nothing"
        assert s.query("count(node_cpu_seconds_total{mode='idle'})")[0][1] == os.cpu_count()
        assert f"http://127.0.0.1:{s.port}/" in s.output()
        wait_for("two samples, for a rate",
                 lambda: s.query("sum(rate(node_cpu_seconds_total[1m])) > 0"))
        print(f"# resident memory: {resident_bytes(s.process.pid) / 1e6:.1f} MB")
        assert s.stop() == 0


@test
def samples_survive_an_orderly_restart():
    with tempfile.TemporaryDirectory() as directory:
        with Server(directory=directory) as s:
            wait_for("a sample", lambda: s.query("node_load1"))
        with Server("--no-watch.host", directory=directory) as s:
            rows = s.get("/api/v1/query", query="node_load1[10m]").json["data"]["result"]
            assert len(rows) == 1 and rows[0]["values"], rows


@test
def a_second_server_on_the_same_directory_is_refused():
    with Server() as s:
        done = nunchi("server", f"--storage.path={s.directory}",
                      f"--web.listen-address=127.0.0.1:{free_port()}")
        assert done.returncode == 1, done
        assert str(s.process.pid) in done.stderr, done.stderr


@test
def a_port_that_is_taken_is_named():
    with socket.socket() as taken, tempfile.TemporaryDirectory() as directory:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = nunchi("server", f"--storage.path={directory}",
                      f"--web.listen-address=127.0.0.1:{port}")
        assert done.returncode == 1 and str(port) in done.stderr, done


@test
def an_open_address_needs_insecure():
    with tempfile.TemporaryDirectory() as directory:
        for address in ("0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:9090"):
            done = nunchi("server", f"--storage.path={directory}",
                          f"--web.listen-address={address}")
            assert done.returncode == 1 and "--insecure" in done.stderr, done


@test
def wrong_flags_are_refused_with_a_hint():
    for args, words in (
            (["server", "--config.fil=x"], ["--config.fil", "did you mean \"--config.file\"?"]),
            (["server", "--query.timeout=5"], ["--query.timeout", "duration"]),
            (["server", "--storage.tsdb.retention.size=20zb"], ["--storage.tsdb.retention.size"]),
            (["server", "--storage.durability=no"], ["--storage.durability", "durable|fast"]),
            (["server", "--query.max-samples=0"], ["--query.max-samples"]),
            (["server", "extra"], ["extra"]),
            (["servr"], ["servr", "nunchi server"]),
    ):
        done = nunchi(*args)
        assert done.returncode == 1, (args, done)
        for word in words:
            assert word in done.stderr, (args, done.stderr)


@test
def help_answers():
    assert "check config" in nunchi("help").stdout
    assert "--storage.tsdb.retention.time" in nunchi("help", "server").stdout
    assert nunchi("server", "--help").stdout == nunchi("help", "server").stdout
    assert nunchi("--version").stdout.startswith("nunchi ")
    assert ".TH" in nunchi("help", "--man", "server").stdout


@test
def a_directory_that_cannot_be_written_is_named():
    if os.geteuid() == 0:
        path = "/proc/nunchi"
    else:
        path = "/nunchi"
    done = nunchi("server", f"--storage.path={path}",
                  f"--web.listen-address=127.0.0.1:{free_port()}")
    assert done.returncode == 1 and path in done.stderr, done


@test
def a_wrong_selector_of_retention_is_refused():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "nunchi.yml")
        for match, code in (("'{job=\"a\"'", 1), ("'{job=~\".+\"}'", None)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"storage:\n  retention_by: [{{match: {match}, keep: 30d}}]\n")
            if code:
                done = nunchi("server", f"--storage.path={directory}", f"--config={path}",
                              f"--web.listen-address=127.0.0.1:{free_port()}")
                assert done.returncode == code, done
                assert f"{path}:2:26: error: \"match\" is no selector" in done.stderr, done
                done = nunchi("check", "config", path)
                assert done.returncode == code, done
                assert f"{path}:2:26: error: \"match\" is no selector" in done.stderr, done
            else:
                assert nunchi("check", "config", path).returncode == 0
                with Server("--no-watch.host", f"--config={path}"):
                    pass


@test
def an_interrupt_ends_it_in_order():
    with Server() as s:
        assert s.stop(signal.SIGINT) == 0
        assert "stopped" in s.output()


main()
