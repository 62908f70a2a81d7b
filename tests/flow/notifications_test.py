#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the server has to tell: listed, pushed, taken back, and said at the end."""
import http.client
import json
import os
import tempfile

from harness import PATIENCE_S, Server, main, test, wait_for

LIVE = "/api/v1/notifications/live"
FAILED = "Configuration reload has failed."


def listed(s):
    reply = s.get("/api/v1/notifications")
    assert reply.status == 200 and reply.json["status"] == "success", reply.text
    return reply.json["data"]


class Stream:
    """Server-sent events of one subscriber."""

    def __init__(self, s):
        self.connection = http.client.HTTPConnection("127.0.0.1", s.port, timeout=PATIENCE_S)
        self.connection.request("GET", LIVE)
        self.reply = self.connection.getresponse()
        self.status = self.reply.status

    def next(self):
        """The next event; None at the end of the stream."""
        while True:
            line = self.reply.readline()
            if not line:
                return None
            if line.startswith(b"data: "):
                return json.loads(line[6:])

    def close(self):
        self.reply.close()
        self.connection.close()


def configured(directory, text):
    path = os.path.join(directory, "prometheus.yml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


@test
def a_failed_reload_is_listed_pushed_and_taken_back():
    with tempfile.TemporaryDirectory() as directory:
        path = configured(directory, "global: {}\n")
        with Server("--no-watch.host", f"--config.file={path}", "--web.enable-lifecycle") as s:
            assert listed(s) == []
            early = Stream(s)
            assert early.status == 200
            assert early.reply.headers["Content-Type"] == "text/event-stream", early.reply.headers
            configured(directory, "wrong: 1\n")
            assert s.post("/-/reload").status != 200
            told = early.next()
            assert told["text"] == FAILED and told["active"] is True and told["date"], told
            assert listed(s) == [told]
            late = Stream(s)
            assert late.next() == told
            configured(directory, "global: {}\n")
            assert s.post("/-/reload").status == 200
            for stream in (early, late):
                gone = stream.next()
                assert gone["text"] == FAILED and gone["active"] is False, gone
            assert listed(s) == []


@test
def a_stop_is_told_and_does_not_wait_for_subscribers():
    with Server("--no-watch.host") as s:
        stream = Stream(s)
        s.process.terminate()
        told = stream.next()
        assert "shutting down" in told["text"] and told["active"], told
        assert stream.next() is None
        assert s.process.wait(PATIENCE_S) == 0


@test
def subscribers_are_bounded_and_those_that_left_make_room():
    with Server("--no-watch.host", "--web.max-notifications-subscribers=2") as s:
        streams = [Stream(s), Stream(s)]
        assert [x.status for x in streams] == [200, 200]
        assert s.get(LIVE).status == 204
        streams[0].close()

        def again():
            one = Stream(s)
            return one if one.status == 200 else one.close()

        streams[0] = wait_for("room", again)
        assert "nunchi_notification_subscribers 2" in s.get("/metrics").text
        assert s.post(LIVE, method="HEAD").status in (200, 204)
        for x in streams:
            x.close()


main()
