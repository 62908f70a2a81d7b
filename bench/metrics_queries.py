# SPDX-License-Identifier: Apache-2.0
"""The twelve queries of the metrics benchmark, and whether two servers answered the same."""
import json
import math
import urllib.parse

STEP_S, RANGE_S = 15, 3600
TOLERANCE = 1e-9
# Where victoria-metrics 1.79 means something else by the same words. Labels are compared all the same.
SLOPE = "rate() begins at the last sample before its window and does not extrapolate to the borders"
KEEPS_NAME = "max_over_time() keeps the name of the metric"
SLOPE_TOLERANCE = 0.5  # of the largest value of the answer

QUERIES = (  # key, title, kind, expression or path, deviation of victoria-metrics
    ("q.selector", "instant selector", "instant", "node_filesystem_avail_bytes", None),
    ("q.sum_rate", "sum by (rate)", "instant", "sum by (handler) (rate(http_requests_total[5m]))", SLOPE),
    ("q.topk", "topk over count by (__name__)", "instant",
     'topk(10, count by (__name__) ({__name__=~".+"}))', None),
    ("q.regex", "regex over names and instances", "instant",
     '{__name__=~"node_(memory|vmstat)_.*", instance=~"host-00[0-9]:.*"}', None),
    ("q.busy", "node CPU-busy", "instant",
     '100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])))', SLOPE),
    ("q.range_sum_rate", "1 h: sum by (rate)", "range",
     "sum by (device) (rate(node_network_receive_bytes_total[5m]))", SLOPE),
    ("q.range_raw", "1 h: raw", "range", "node_load1", None),
    ("q.range_quantile", "1 h: histogram_quantile over sum by (le)", "range",
     "histogram_quantile(0.99, sum by (le) "
     '(rate(http_request_duration_seconds_bucket{handler="/api/v1/items"}[5m])))', SLOPE),
    ("q.range_join", "1 h: group_left join", "range",
     'sum by (nodename) (rate(node_cpu_seconds_total{mode!="idle"}[5m]) '
     "* on (instance) group_left (nodename) node_uname_info)", SLOPE),
    ("q.range_max", "1 h: max_over_time", "range", "max_over_time(go_goroutines[10m])", KEEPS_NAME),
    ("q.series", "/series", "path",
     ("/api/v1/series", {"match[]": '{job="node", instance=~"host-00[0-9]:.*"}'}), None),
    ("q.values", "label values", "path", ("/api/v1/label/__name__/values", {}), None),
)


def target(kind, what, end_s):
    """Path and query of one of QUERIES. `end_s` is an odd millisecond, which no sample has."""
    if kind == "path":
        path, form = what
        form = dict(form, start=end_s - RANGE_S, end=end_s)
    elif kind == "instant":
        path, form = "/api/v1/query", {"query": what, "time": end_s}
    else:
        path = "/api/v1/query_range"
        form = {"query": what, "start": end_s - RANGE_S, "end": end_s, "step": STEP_S}
    return path + "?" + urllib.parse.urlencode(dict(form, nocache=1))


def near(a, b, tolerance, scale=0):
    if a == b or (math.isnan(a) and math.isnan(b)):
        return True
    return abs(a - b) <= tolerance * max(abs(a), abs(b), scale)


def table(rows):
    """{labels: [(time, value)]} of a vector or matrix."""
    return {json.dumps(r["metric"], sort_keys=True): [(float(t), float(v)) for t, v in
                                                      (r["values"] if "values" in r else [r["value"]])]
            for r in rows}


def without_name(rows):
    return [dict(r, metric={k: v for k, v in r["metric"].items() if k != "__name__"}) for r in rows]


def compare_ranks(a, b):
    """Of topk only the values: which of equal ones comes last is nobody's promise."""
    a, b = (sorted(v for points in rows.values() for _, v in points) for rows in (a, b))
    return None if a == b else f"{a} and {b}"


def compare_tables(a, b, tolerance, scale):
    if a.keys() != b.keys():
        odd = sorted(a.keys() ^ b.keys())
        return f"{len(a)} and {len(b)} series, {len(odd)} not in both, such as {odd[0]}"
    for labels, points in a.items():
        others = b[labels]
        if [t for t, _ in points] != [t for t, _ in others]:
            return f"{labels}: {len(points)} and {len(others)} points, at other times"
        for (t, v), (_, w) in zip(points, others):
            if not near(v, w, tolerance, scale):
                return f"{labels}: {v!r} and {w!r} at {t}"
    return None


def compare(key, kind, ours, theirs, deviation):
    """None when the two answers (bytes) are the same, else how they differ."""
    a, b = json.loads(ours)["data"], json.loads(theirs)["data"]
    if kind == "path":
        a, b = ({json.dumps(x, sort_keys=True) for x in rows} for rows in (a, b))
        odd = sorted(a ^ b)
        return f"{len(a)} and {len(b)} rows, {len(odd)} not in both, such as {odd[0]}" if odd else None
    a, b = a["result"], b["result"]
    if deviation == KEEPS_NAME:
        b = without_name(b)
    a, b = table(a), table(b)
    if key == "q.topk":
        return compare_ranks(a, b)
    if deviation != SLOPE:
        return compare_tables(a, b, TOLERANCE, 0)
    largest = max((abs(v) for points in a.values() for _, v in points), default=0)
    return compare_tables(a, b, SLOPE_TOLERANCE, largest)
