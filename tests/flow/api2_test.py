#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the API has beside queries: features, formatting, trees, federation, empty lists."""
import subprocess
import tempfile
import time

from harness import NUNCHI, Server, free_port, main, remote_write, test

NOW_S = int(time.time()) // 60 * 60


def refused(*args):
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([NUNCHI, "server", f"--storage.path={directory}", *args,
                               f"--web.listen-address=127.0.0.1:{free_port()}"],
                              capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done
    return done.stderr


@test
def features_open_parts_of_the_language():
    queries = ("limitk(1, vector(1))", "up[5m * 2]", "up + fill(0) up")
    with Server("--no-watch.host") as s:
        for query in queries:
            assert s.get("/api/v1/query", query=query).status == 400, query
    with Server("--no-watch.host", "--enable-feature=promql-experimental-functions,promql-duration-expr",
                "--enable-feature", "promql-binop-fill-modifiers",
                "--enable-feature=promql-per-step-stats,promql-per-step-stats") as s:
        for query in queries:
            reply = s.get("/api/v1/query", query=query)
            assert reply.status == 200, reply.text
        assert s.output().count("promql-per-step-stats is not built yet") == 1, s.output()
        flags = s.get("/api/v1/status/flags").json["data"]
        assert "promql-binop-fill-modifiers,promql-per" in flags["enable-feature"], flags


@test
def features_that_cannot_be_had_are_refused():
    out = refused("--enable-feature=promql-experimental-function")
    assert 'did you mean "promql-experimental-functions"' in out, out
    assert "--enable-feature" in out, out
    out = refused("--enable-feature=promql-extended-range-selectors")
    assert "not supported yet" in out, out


main()
