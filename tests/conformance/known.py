# SPDX-License-Identifier: Apache-2.0
"""What is known to differ: the rows of differences.tsv, and the checks that they name.

A row applies to Prometheus older than `before` and to expressions in which `pattern` is found, and
then only if every point that differs passes its check. A check has the points that differ, as
(labels, time, ours, theirs), and the means to look closer.
"""
import collections
import math
import os
import re

import compare

Row = collections.namedtuple("Row", "name before pattern check reason")


def rows():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "differences.tsv")
    with open(path, encoding="utf-8") as f:
        lines = [line.rstrip("\n").split("\t") for line in f if line.strip() and line[0] != "#"]
    return [Row(name, tuple(int(n) for n in before.split(".")), re.compile(pattern), CHECKS[check], reason)
            for name, before, pattern, check, reason in lines]


class Case:
    """One expression whose answers differ. `at_once(query, time_s)`: both answers to an instant query.
    `first_s`, `last_s`: of the times at which it was asked."""

    def __init__(self, text, ours, theirs, at_once, first_s, last_s):
        self.ours, self.theirs, self.at_once = ours, theirs, at_once
        self.first_s, self.last_s = first_s, last_s
        self.text = text.replace("start()", f"{first_s:.3f}").replace("end()", f"{last_s:.3f}")

    def points(self):
        """Those that differ; None where a series or a point is on one side only."""
        if not self.ours["status"] == self.theirs["status"] == "success":
            return None
        mine, their = compare.table(self.ours), compare.table(self.theirs)
        if mine.keys() != their.keys() or any(mine[k].keys() != their[k].keys() for k in mine):
            return None
        return [(k, t, float(mine[k][t]), float(v)) for k, points in their.items()
                for t, v in points.items() if not compare.near(mine[k][t], v)]


def only_theirs_fails(case):
    return case.ours["status"] == "success" and case.theirs["status"] == "error"


def ours_sees_doubles(case):
    return case.theirs["status"] == "success" and case.ours["status"] == "error" and (
        "multiple matches for labels" in case.ours["error"] or "same labelset" in case.ours["error"])


def fewer_labels(case):
    """Theirs lack labels that ours have; apart from that each of ours is one of theirs."""
    if not case.ours["status"] == case.theirs["status"] == "success":
        return False
    mine, their = compare.table(case.ours), compare.table(case.theirs)
    return all(any(set(other) <= set(key) for other in their) for key in mine)


def nan_not_zero(case):
    return all(math.isnan(mine) and their == 0 for _, _, mine, their in case.points() or [(0, 0, 0, 0)])


def too_early_infinite(case):
    return all(math.isinf(their) and 8e307 < abs(mine) < math.inf
               for _, _, mine, their in case.points() or [(0, 0, 0, 0)])


def other_ties(case):
    """The same values at each time, of other series."""
    if not case.ours["status"] == case.theirs["status"] == "success":
        return False
    def values(answer):
        out = collections.defaultdict(list)
        for points in compare.table(answer).values():
            for t, v in points.items():
                out[t].append(float(v))
        return {t: sorted(map(repr, v)) for t, v in out.items()}
    return values(case.ours) == values(case.theirs)


def name_kept(case):
    """The same, but that theirs has kept the name of the metric."""
    if not case.ours["status"] == case.theirs["status"] == "success":
        return False
    mine, their = compare.table(case.ours), compare.table(case.theirs)
    dropped = {}
    for key, points in their.items():
        dropped.setdefault(tuple(pair for pair in key if pair[0] != "__name__"), {}).update(points)
    return compare.of_table(mine, dropped, 0.0) is None


def as_theirs_at_once(case):
    """An instant query at any of these times gets our answer from Prometheus too. Where ours failed,
    one of them fails."""
    if case.theirs["status"] != "success":
        return False
    their = compare.table(case.theirs)
    if case.ours["status"] != "success":
        times = {case.first_s, case.last_s, *(t for points in their.values() for t in points)}
        return any(case.at_once(case.text, t)[1]["status"] == "error" for t in sorted(times))
    mine = compare.table(case.ours)
    odd = [(key, t) for key in sorted({*mine, *their})
           for t in sorted({*mine.get(key, ()), *their.get(key, ())})
           if not like(mine.get(key, {}).get(t), their.get(key, {}).get(t))]
    for key, t in odd[-1:] + odd[:2]:
        alone = case.at_once(case.text, t)[1]
        if alone["status"] != "success" or not like(
                mine.get(key, {}).get(t), compare.table(alone).get(key, {}).get(t)):
            return False
    return bool(odd)


def as_theirs_then(case):
    """Without the @ modifier, at its time, Prometheus gives at once what we give at every step."""
    at = re.search(r" @ ([0-9.]+)", case.text)
    if not at or case.ours["status"] != "success":
        return False
    then = case.at_once(case.text.replace(at.group(0), ""), at.group(1))[1]
    if then["status"] != "success":
        return False
    their = {key: list(points.values())[0] for key, points in compare.table(then).items()}
    mine = compare.table(case.ours)
    return mine.keys() == their.keys() and all(
        compare.near(v, their[key]) for key, points in mine.items() for v in points.values())


def like(a, b):
    return a == b if a is None or b is None else compare.near(a, b)


def start_at_zero(case):
    """Each difference is as large as the share of an interval that Prometheus 2 adds in front of a
    first sample so near to zero that the counter began within that interval, though the window
    began much earlier."""
    points = case.points()
    return bool(points) and all(start_of_one(case, *p) for p in points[:3])


def start_of_one(case, key, t, mine, their):
    function, inner = case.text.split("(", 1)
    window_s = seconds(re.search(r".*\[([0-9a-z]+)[]:]", inner).group(1))
    raw = case.at_once(inner[:-1], t)[1]
    if raw["status"] != "success":
        return False
    rows = [row["values"] for row in raw["data"]["result"] if key == tuple(sorted(
        (n, v) for n, v in row["metric"].items() if n != "__name__"))]
    if len(rows) != 1 or len(rows[0]) < 2:
        return False
    values = [float(v) for _, v in rows[0]]
    grown = values[-1] - values[0] + sum(a for a, b in zip(values, values[1:]) if b < a)
    span = rows[0][-1][0] - rows[0][0][0]
    interval = span / (len(values) - 1)
    extra = grown * (span * values[0] / grown - interval / 2) / span if grown else math.nan
    return compare.near(their - mine, extra / (window_s if function == "rate" else 1), 1e-6 * abs(extra))


def seconds(duration):
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    return sum(int(n) * units[u] for n, u in re.findall(r"(\d+)(ms|[smh])", duration))


CHECKS = {f.__name__: f for f in (only_theirs_fails, nan_not_zero, too_early_infinite, other_ties,
                                    as_theirs_at_once, as_theirs_then, start_at_zero, name_kept,
                                    ours_sees_doubles, fewer_labels)}


def explain(table, version, case):
    """The first row that explains the case, or None."""
    for row in table:
        if version < row.before and row.pattern.search(case.text) and row.check(case):
            return row
    return None
