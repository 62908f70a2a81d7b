# SPDX-License-Identifier: Apache-2.0
"""Answers of the query API: are two of them the same, and if not, in what?"""
import math

RELATIVE = 1e-9


def table(answer):
    """{labels: {time: value as text}} of the data of any result type."""
    data = answer["data"]
    if data["resultType"] in ("scalar", "string"):
        return {(): {data["result"][0]: data["result"][1]}}
    out = {}
    for row in data["result"]:
        key = tuple(sorted(row["metric"].items()))
        assert key not in out, f"{key} is there twice"
        out[key] = {t: v for t, v in row.get("values") or [row["value"]]}
    return out


def near(a, b, margin=0.0):
    """Two values as the API writes them."""
    if a == b:
        return True
    a, b = float(a), float(b)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if math.isinf(a) or math.isinf(b):
        return a == b
    return abs(a - b) <= max(RELATIVE * max(abs(a), abs(b)), margin)


def of_table(ours, theirs, margin):
    if ours.keys() != theirs.keys():
        extra, lacking = ours.keys() - theirs.keys(), theirs.keys() - ours.keys()
        return f"series: {len(extra)} more {some(extra)}, {len(lacking)} less {some(lacking)}"
    for key, points in theirs.items():
        mine = ours[key]
        if mine.keys() != points.keys():
            return (f"{dict(key)}: points more at {some(mine.keys() - points.keys())}, "
                    f"less at {some(points.keys() - mine.keys())}")
        for t, v in points.items():
            if not near(mine[t], v, margin):
                return f"{dict(key)} at {t}: {mine[t]}, not {v}"
    return None


def some(things):
    return [dict(t) if isinstance(t, tuple) else t for t in sorted(things)[:2]]


def differ(ours, theirs, margin=0.0, ordered=False):
    """None, or what differs in words. `ordered`: the order of the series says something."""
    if ours["status"] != theirs["status"]:
        who, failed = ("ours", ours) if ours["status"] == "error" else ("theirs", theirs)
        return f"only {who} fails: {failed['error']}"
    if ours["status"] == "error":
        if ours["errorType"] != theirs["errorType"]:
            return (f"errors: {ours['errorType']} ({ours['error']}), "
                    f"not {theirs['errorType']} ({theirs['error']})")
        return None
    ours, theirs = ours["data"], theirs["data"]
    if ours["resultType"] != theirs["resultType"]:
        return f"type: {ours['resultType']}, not {theirs['resultType']}"
    if ours["result"] == theirs["result"]:
        return None
    why = of_table(table({"data": ours}), table({"data": theirs}), margin)
    if not why and ordered and [r["value"][1] for r in ours["result"]] != [
            r["value"][1] for r in theirs["result"]]:
        if any(not near(a["value"][1], b["value"][1]) for a, b in zip(ours["result"], theirs["result"])):
            return "order of the series"
    return why


def is_empty(answer):
    return answer["status"] != "success" or answer["data"]["result"] == []


def same_bits(ours, theirs):
    """The very same values: what is computed from them may not differ by rounding alone."""
    return (ours["status"] == theirs["status"] == "success"
            and table(ours) == table(theirs))
