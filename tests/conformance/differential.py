#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random queries, asked of both servers; what differs is traced to its origin and made small.

usage: differential.py [--seed N] [--queries N] [--first I] [--show] [--backwards] [--flag=--OURS=...]

A difference has its origin in the nodes that differ though nothing below them does. Each origin must be
explained by a row of differences.tsv or by rounding, else the query is a failure.
"""
import argparse
import collections
import random
import sys

import compare
import known
from grammar import Grammar
from peers import Pair
from tree import Node, children, shrink

# Noise of the last bits is cut off at this fraction before a node is looked at again.
QUIET = 1048576
ORDERED = ("sort", "sort_desc")


class Failure(Exception):
    """A difference that nothing explains."""


class Hunt:
    """`extended`: we know more of the language; what is no PromQL at all is not compared."""

    def __init__(self, pair, table, extended=False):
        self.pair, self.table, self.extended = pair, table, extended
        self.counts = collections.Counter()
        self.explained = collections.Counter()

    # ---- asking ----

    def ask(self, node, grid):
        path, parameters = grid.request()
        return self.pair.ask(path, str(node), **parameters)

    def differs(self, node, grid, margin=0.0):
        ordered = not grid.step_ms and node.head in ORDERED
        return compare.differ(*self.ask(node, grid), margin, ordered)

    # ---- what a difference comes from ----

    def origins(self, node, grid):
        if not self.differs(node, grid):
            return []
        found = [o for child, on in children(node, grid) for o in self.origins(child, on)]
        return found or [(node, grid)]

    def explain(self, node, grid):
        """The name of what explains a node that differs though its children do not; None: nothing."""
        case = self.case(node, grid)
        row = known.explain(self.table, self.pair.version, case)
        if row:
            return row.name
        if self.is_unsteady(node, grid, case.theirs):
            return "unsteady"
        return "rounding" if self.is_rounding(node, grid, case) else None

    def case(self, node, grid):
        return known.Case(str(node), *self.ask(node, grid), self.at_once, grid.start_ms / 1000,
                          grid.end_ms / 1000)

    def at_once(self, query, time_s):
        return self.pair.ask("/api/v1/query", query, time=time_s)

    def is_unsteady(self, node, grid, theirs):
        """Prometheus itself answers now this and now that: it goes through groups in no order."""
        repeats = 40 if "topk" in str(node) or "bottomk" in str(node) else 5
        return any(compare.differ(self.ask(node, grid)[1], theirs) for _ in range(repeats))

    def is_rounding(self, node, grid, case):
        """Something tiny beside what it was computed from, or noise in that which the node makes large."""
        pairs = [self.ask(c, on) for c, on in children(node, grid)]
        if compare.differ(case.ours, case.theirs, 1e-9 * largest(pairs)) is None:
            return True
        if all(compare.same_bits(*pair) for pair in pairs):
            return False
        node = quiet(node)
        pairs = [self.ask(c, on) for c, on in children(node, grid)]
        return (not all(compare.same_bits(*pair) for pair in pairs)
                or self.differs(node, grid, 1e-9 * largest(pairs)) is None
                or known.explain(self.table, self.pair.version, self.case(node, grid)) is not None)

    def unexplained(self, node, grid):
        """The first origin that nothing explains, with what differs there; explanations are counted."""
        for origin, on in self.origins(node, grid):
            name = self.explain(origin, on)
            if not name:
                return origin, on, self.differs(origin, on)
            self.explained[name] += 1
        return None

    # ---- one query ----

    def query(self, seed, i, show=False):
        grammar = Grammar(random.Random(f"{seed}-{i}"))
        node, grid = grammar.root(), grammar.grid()
        if show:
            print(f"{i}: {node} {grid}", flush=True)
        ours, theirs = self.ask(node, grid)
        self.counts["queries"] += 1
        self.counts["errors"] += theirs["status"] == "error"
        self.counts["answers"] += not compare.is_empty(theirs)
        if self.extended and "parse error" in theirs.get("error", ""):
            return
        if compare.differ(ours, theirs, 0.0, not grid.step_ms and node.head in ORDERED):
            self.counts["differences"] += 1
            self.judge(f"query {i} of seed {seed}", node, grid)

    def judge(self, name, node, grid):
        found = self.unexplained(node, grid)
        if not found:
            return
        origin, on, why = found
        small = shrink(origin, lambda candidate: self.fails(candidate, on))
        why = self.differs(small, on) or why
        raise Failure(f"{name}: {node} {grid}\n  comes from: {origin}\n  smallest: {small} {on}\n  {why}")

    def fails(self, node, grid):
        if not self.differs(node, grid):
            return False
        return self.explain(node, grid) is None and not any(
            self.differs(child, on) for child, on in children(node, grid))


def quiet(node):
    """The node with the noise of vectors below it cut off."""
    def part(p):
        if isinstance(p, Node) and p.type == "vector":
            return Node("vector", "quiet", [f"floor((", p, f") * {QUIET}) / {QUIET}"], p.labels)
        if isinstance(p, Node) and p.window:
            return quiet(p)
        return p
    return Node(node.type, node.head, [part(p) for p in node.parts], node.labels, node.window)


def largest(pairs):
    """The largest finite magnitude in the answers."""
    values = (abs(float(v)) for pair in pairs for answer in pair if answer["status"] == "success"
              for points in compare.table(answer).values() for v in points.values())
    return max((v for v in values if v < float("inf")), default=0.0)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--queries", type=int, default=2000)
    p.add_argument("--first", type=int, default=0, help="number of the first query")
    p.add_argument("--show", action="store_true", help="print every query")
    p.add_argument("--backwards", action="store_true", help="nunchi gets the later samples first")
    p.add_argument("--flag", action="append", default=[], help="one more flag of nunchi")
    o = p.parse_args()
    failures = 0
    with Pair(*o.flag, backwards=o.backwards) as pair:
        hunt = Hunt(pair, known.rows(), any("metricsql" in f for f in o.flag))
        for i in range(o.first, o.first + o.queries):
            try:
                hunt.query(o.seed, i, o.show)
            except Failure as why:
                failures += 1
                print(f"DIFFERENT {why}", flush=True)
        print(summary(hunt))
    print(f"{o.queries - failures} queries agree, {failures} differ")
    sys.exit(1 if failures else 0)


def summary(hunt):
    c = hunt.counts
    explained = ", ".join(f"{name} {n}" for name, n in sorted(hunt.explained.items())) or "none"
    return (f"{c['queries']} random queries, {c['answers']} answered with something, {c['errors']} refused, "
            f"{c['differences']} different and explained by: {explained}")


if __name__ == "__main__":
    main()
