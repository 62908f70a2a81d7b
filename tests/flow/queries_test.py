#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Queries as the operator sees them: those under way, ending one, what ran before a crash."""
import signal
import socket
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
        assert [q["query"] for q in active(server)["unfinished"]] == [ENDLESS]
        assert f"was running when the process ended: {ENDLESS}" in server.output()
        assert server.stop() == 0
        server.own = False
    with Server("--no-watch.host", directory=directory) as server:
        server.own = True
        assert active(server)["unfinished"] == []


main()
