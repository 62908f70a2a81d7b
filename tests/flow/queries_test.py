#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Queries as the operator sees them: those under way, ending one, what ran before a crash."""
import json
import os
import signal
import socket
import tempfile
import threading
import urllib.parse

from harness import Server, http, main, test, wait_for

ENDLESS = "max_over_time(max_over_time(max_over_time(vector(1)[1d:1s])[1d:1s])[1d:1s])"
ACTIVE = "/api/v1/status/active_queries"


def active(server):
    reply = server.get(ACTIVE)
    assert reply.status == 200, reply.text
    return reply.json["data"]


def in_background(server, query):
    out = []

    def ask():
        try:
            out.append(server.get("/api/v1/query", query=query))
        except OSError:  # the server was killed
            pass
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread, out


@test
def a_query_is_listed_and_can_be_ended():
    with Server("--no-watch.host", "--query.max-samples=1000000000000") as server:
        assert active(server) == {"queries": [], "unfinished": []}
        thread, out = in_background(server, ENDLESS)
        row = wait_for("it in the list", lambda: active(server)["queries"])[0]
        assert row["query"] == ENDLESS and row["path"] == "/api/v1/query" and row["method"] == "GET", row
        assert row["remote"].startswith("127.0.0.1:") and row["elapsedSeconds"] >= 0, row
        row = wait_for("its work", lambda: [q for q in active(server)["queries"]
                                            if q["state"] == "running" and q["memoryBytes"] > 0])[0]
        cancel = f"{ACTIVE}/{row['id']}/cancel"
        assert server.get(cancel).status == 405
        foreign = http(server.url + cancel, data=b"", method="POST",
                       headers={"Origin": "http://elsewhere.example", "Sec-Fetch-Site": "cross-site"})
        assert foreign.status == 403, foreign.text
        assert thread.is_alive()
        assert server.post(cancel).status == 204
        thread.join(60)
        assert out and out[0].status == 503, out
        assert out[0].json["errorType"] == "canceled", out[0].text
        assert "request to end it" in out[0].json["error"], out[0].text
        wait_for("an empty list", lambda: active(server)["queries"] == [])
        assert server.post(cancel).status == 404
        assert server.post(f"{ACTIVE}/x/cancel").status == 404
        assert "nunchi_queries_stopped_total 1\n" in server.get("/metrics").text


@test
def an_answer_nobody_reads_can_be_ended():
    with Server("--no-watch.host", "--query.max-samples=1000000000000") as server:
        s = socket.create_connection(("127.0.0.1", server.port))
        query = urllib.parse.quote("vector(1)[20d:1s]")
        s.sendall(f"GET /api/v1/query?query={query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        row = wait_for("it in the list", lambda: [q for q in active(server)["queries"]])[0]
        assert s.recv(16, socket.MSG_PEEK)  # it is being written
        assert server.post(f"{ACTIVE}/{row['id']}/cancel").status == 204
        wait_for("an empty list", lambda: active(server)["queries"] == [])
        s.close()


@test
def what_ran_when_the_process_died_is_told():
    with Server("--no-watch.host", "--query.max-samples=1000000000000") as server:
        in_background(server, ENDLESS)
        wait_for("it runs", lambda: [q for q in active(server)["queries"] if q["state"] == "running"])
        assert server.query("vector(1)") == [({}, 1)]
        server.stop(signal.SIGKILL)
        server.own = False
        directory = server.directory
    with Server("--no-watch.host", directory=directory) as server:
        server.own = True
        # The other one may have been answered and not yet crossed out.
        assert ENDLESS in [q["query"] for q in active(server)["unfinished"]]
        assert f"was running when the process ended: {ENDLESS}" in server.output()
        assert server.stop() == 0
        server.own = False
    with Server("--no-watch.host", directory=directory) as server:
        server.own = True
        assert active(server)["unfinished"] == []


@test
def statistics_by_step_on_request():
    with Server("--no-watch.host") as server:
        where = {"query": "sum_over_time(vector(1)[2m:1m])", "start": 600, "end": 660, "step": 30}
        samples = server.get("/api/v1/query_range", stats="all", **where).json["data"]["stats"]["samples"]
        assert samples["totalQueryableSamplesPerStep"] == [[600, 2], [630, 2], [660, 2]], samples
        assert samples["totalQueryableSamples"] == 6 and samples["peakSamples"] > 0, samples
        samples = server.get("/api/v1/query_range", stats="true", **where).json["data"]["stats"]["samples"]
        assert "totalQueryableSamplesPerStep" not in samples, samples


@test
def queries_are_logged_to_a_file():
    with tempfile.TemporaryDirectory() as folder:
        log, config = os.path.join(folder, "query.log"), os.path.join(folder, "prometheus.yml")
        with open(config, "w", encoding="ascii") as f:
            f.write("global:\n  query_log_file: query.log\nscrape_configs: []\n")
        own = os.path.join(folder, "nunchi.yml")
        with open(own, "w", encoding="ascii") as f:
            f.write("limits:\n  slow_query: 1ms\n")

        def lines():
            with open(log, encoding="utf-8") as f:
                return [json.loads(line) for line in f]
        with Server(f"--config.file={config}", f"--config={own}", "--web.enable-lifecycle") as server:
            server.query("vector(1) + 1", time=1700000000)
            first = wait_for("a line", lines)[0]
            assert first["msg"] == "promql query logged" and "error" not in first, first
            assert first["params"] == {"query": "vector(1) + 1", "step": 0,
                                       "start": "2023-11-14T22:13:20.000Z",
                                       "end": "2023-11-14T22:13:20.000Z"}, first
            assert first["httpRequest"] == {"clientIP": "127.0.0.1", "method": "GET",
                                            "path": "/api/v1/query"}, first
            assert first["stats"]["timings"]["execTotalTime"] > 0, first
            server.get("/api/v1/query_range", query="sum_over_time(vector(1)[1d:1s])", start=0,
                       end=1000, step=10)
            assert "sum_over_time" in wait_for("a second", lambda: lines()[1:])[0]["params"]["query"]
            wait_for("a slow one", lambda: "query: slow: " in server.output())
            os.rename(log, log + ".1")  # as logrotate does
            assert server.post("/-/reload").status == 200
            reply = server.get("/api/v1/query", query="vector(1) * on (a) vector(1)[1:1]")
            assert reply.status == 400, reply.text  # not evaluated, not logged
            assert server.get("/api/v1/query", query="vector(1)[30y:1ms]").status == 422
            third = wait_for("a line in the new file", lines)
            assert len(third) == 1 and "points in one series" in third[0]["error"], third
            with open(config, "w", encoding="ascii") as f:
                f.write("global:\n  query_log_file: nowhere/query.log\nscrape_configs: []\n")
            assert server.post("/-/reload").status >= 400
            server.query("vector(3)")
            wait_for("that the old file goes on", lambda: len(lines()) == 2)


main()
