# SPDX-License-Identifier: Apache-2.0
"""Two hours and a quarter of three demo services, as a Prometheus would have scraped them.

What a service exposes is a page, {labels: value}; `scrape` takes pages at the times of its schedule, so
restarts, outages and metrics that come and go leave what they leave in reality: counters that fall,
stale markers, gaps. Nothing depends on anything but the seed.

Every sample lies at an odd millisecond. Whoever asks at even ones with even ranges and offsets never
meets a sample on the border of a window, where Prometheus 2 and 3 differ.
"""
import calendar
import math
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "flow"))
from harness import remote_write  # noqa: E402

# Queries run over [START_S, END_S]: an hour across midnight and the end of a February. Around it lies
# what windows of an hour and offsets of ten minutes reach.
START_S = calendar.timegm((2024, 2, 29, 23, 20, 0))
END_S = START_S + 3600
FIRST_S = START_S - 3900
LAST_S = END_S + 900

STALE = struct.unpack("<d", struct.pack("<Q", 0x7ff0000000000002))[0]
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
ENDPOINTS = (("GET", "/api/foo", "200", 5), ("GET", "/api/bar", "200", 3), ("POST", "/api/bar", "500", 1),
             ("GET", "/api/nonexistent", "404", 0.2))
# What a gauge says in the first minutes of the hour, where comparisons with constants shall find
# something and arithmetic shall meet every kind of float.
ODD = (0.0, 1.2345, 0.12345, -8.0, math.nan, math.inf, -math.inf, 1e150, 1e-150, -0.0)

# Seconds from START_S in which nobody answers, each instance on its own and all of them.
OUTAGE_OF_ALL = (2100, 2490)
# Seconds in which samples were lost on their way: no stale markers, the series just stop.
LOST = {1: ((400, 640), (2700, 3190))}
RESTARTS = {0: (1500,), 1: (-1200, 3300), 2: (605, 900, 2700)}
# A time in which somebody looked closely: a scrape every 400 ms.
CLOSE_LOOK = (1200, 1290)


def fraction(value):
    """To a multiple of 1/64: sums of such numbers are exact in whatever order they are taken."""
    return math.floor(value * 64) / 64


class Service:
    """One instance and its state; `page` is what it exposes now."""

    def __init__(self, number, seed):
        self.random = random.Random(f"{seed}-{number}").random
        self.number = number
        self.common = {"instance": f"demo.promlabs.com:{10000 + number}", "job": "demo"}
        self.disk, self.last_success, self.intermittent = 40e9 + number * 7e9, START_S - 4500.0, True
        self.restart()

    def restart(self):
        self.cpu = {"idle": 0.0, "user": 0.0, "system": 0.0}
        self.items = self.moved = 0.0
        self.requests = {e: [0] * (len(BOUNDS) + 1) for e in ENDPOINTS}
        self.seconds = dict.fromkeys(ENDPOINTS, 0.0)

    def page(self, t, passed_s):
        out = {}

        def put(name, value, **labels):
            out[tuple(sorted({"__name__": "demo_" + name, **self.common, **labels}.items()))] = value

        self.machine(put, t, passed_s)
        self.api(put, passed_s)
        self.batch(put, t)
        return out

    def machine(self, put, t, passed_s):
        cpus = (4, 8, 8)[self.number]
        shares = {"idle": 0.7, "user": 0.2, "system": 0.1}
        for mode, share in shares.items():
            self.cpu[mode] += fraction(share * cpus * passed_s * (0.5 + self.random()))
            put("cpu_usage_seconds_total", self.cpu[mode], mode=mode)
        for kind, size in (("used", 4e9), ("free", 1.6e9), ("buffers", 2e8), ("cached", 1.7e9)):
            put("memory_usage_bytes", math.floor(size * (0.8 + 0.4 * self.random())) * 1.0, type=kind)
        put("memory_usage_bytes", self.swap(t), type="swap")
        self.disk += math.floor(passed_s * 1e6 * (self.random() - 0.3))
        put("disk_usage_bytes", self.disk)
        put("disk_total_bytes", 2.5e11)
        put("num_cpus", float(cpus))

    def swap(self, t):
        at = int(t - START_S) // 30
        if self.number or not 0 <= at < 2 * len(ODD):
            return 0.0
        return ODD[at % len(ODD)]

    def api(self, put, passed_s):
        for endpoint in ENDPOINTS:
            method, path, status, per_s = endpoint
            labels = {"method": method, "path": path, "status": status}
            counts = self.requests[endpoint]
            for _ in range(int(per_s * passed_s * 2 * self.random() + self.random())):
                bucket = min(len(BOUNDS), int(-3 * math.log(1 - self.random())))
                counts[bucket] += 1
                self.seconds[endpoint] += BOUNDS[min(bucket, len(BOUNDS) - 1)] * 0.8
            total = 0
            for bound, n in zip((*BOUNDS, math.inf), counts):
                total += n
                le = "+Inf" if bound == math.inf else repr(bound)
                put("api_request_duration_seconds_bucket", float(total), le=le, **labels)
            put("api_request_duration_seconds_count", float(total), **labels)
            put("api_request_duration_seconds_sum", self.seconds[endpoint], **labels)
        put("api_http_requests_in_progress", float(int(self.random() * 4)))

    def batch(self, put, t):
        # This counter alone starts anew while nobody can see it: Prometheus 2 and 3 take its rate in
        # different ways then.
        self.items = 0.0 if within(t, OUTAGE_OF_ALL) else self.items + int(self.random() * 9)
        if self.random() < 0.02 or t - self.last_success > 800:
            self.last_success, self.moved = math.floor(t) - 1.0, fraction(1e6 * self.random())
        put("items_shipped_total", self.items)
        put("batch_last_success_timestamp_seconds", self.last_success)
        put("batch_last_run_processed_bytes", self.moved)
        put("is_holiday", float(int(t - START_S) // 1200 % 2))
        if self.random() < 0.1:
            self.intermittent = not self.intermittent
        if self.intermittent:
            put("intermittent_metric", fraction(50 * self.random()))


def within(t, *spans):
    return any(START_S + first <= t < START_S + last for first, last in spans)


def schedule(number, rng):
    """Times of scrapes in milliseconds: every 5, 10 or 15 s with some jitter, all of them odd."""
    t_ms, interval_ms = FIRST_S * 1000 + 1234 * number, (5000, 10000, 15000)[number]
    while t_ms < LAST_S * 1000:
        close = number == 0 and within(t_ms / 1000, CLOSE_LOOK)
        yield t_ms + int(rng() * 90) * 2 + 1
        t_ms += 400 if close else interval_ms


def scrape(number, seed, into):
    """Adds what is scraped of one service to `into`, {labels: [(value, t_ms)]}."""
    service, before, last_s = Service(number, seed), {}, FIRST_S - 60
    restarts = [START_S + s for s in RESTARTS[number]]
    for t_ms in schedule(number, random.Random(f"{seed}-times-{number}").random):
        t = t_ms / 1000
        if restarts and t > restarts[0]:
            restarts.pop(0)
            service.restart()
        down = within(t, OUTAGE_OF_ALL)
        page = service.page(t, t - last_s)
        last_s = t
        if within(t, *LOST.get(number, ())):
            continue
        page = {} if down else page
        page[("__name__", "up"), *sorted(service.common.items())] = float(not down)
        for labels in {**before, **page}:
            into.setdefault(labels, []).append((page.get(labels, STALE), t_ms))
        before = page


def data(seed=1):
    """{labels: [(value, t_ms)]}, labels being sorted (name, value) pairs."""
    out = {}
    for number in range(3):
        scrape(number, seed, out)
    return out


def slices(samples, seconds=600):
    """The same in pieces of time, as a sender would send it: lists of (labels, samples)."""
    for first in range(FIRST_S, LAST_S + 60, seconds):
        low, high = first * 1000, (first + seconds) * 1000
        rows = [(dict(labels), [s for s in samples[labels] if low <= s[1] < high])
                for labels in sorted(samples)]
        yield [row for row in rows if row[1]]


def write(url, backwards=False):
    """By remote write; `backwards`: the last ten minutes first."""
    pieces = list(slices(data()))
    for rows in reversed(pieces) if backwards else pieces:
        reply = remote_write(url, rows)
        assert reply.status == 204, reply.text
