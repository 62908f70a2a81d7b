#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Queries that Prometheus answers too: a table of our own, that of the public compliance tester, and
thousands of random ones. README.md says how; differences.tsv what may differ.

usage: conformance_test.py [--seeds N,N,...] [--queries N]
"""
import argparse
import contextlib
import os
import random
import re

import compare
import demo
import known
from differential import ORDERED, Hunt, summary
from grammar import Grammar
from peers import Pair
from harness import main, skip, test

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(os.environ.get("NUNCHI_CORPUS", os.path.join(HERE, "../../../shared/corpus")),
                      "metrics/promql/compliance-queries-expanded.tsv")
options = argparse.Namespace(seeds=[1, 2], queries=3000)
resources = contextlib.ExitStack()
state = {}

# Times at which nothing was scraped and no window of whole seconds begins.
RANGE = {"start": f"{demo.START_S + 3}.500", "end": f"{demo.END_S}.500", "step": "10"}
INSTANTS = (f"{demo.START_S + 200}.500", f"{demo.START_S + 1900}.500", f"{demo.START_S + 2300}.500")


def both():
    """The two servers, started when first asked for."""
    if "pair" not in state:
        try:
            state["pair"] = resources.enter_context(Pair())
        except Exception as why:
            state["pair"] = why
    if isinstance(state["pair"], Exception):
        raise state["pair"]
    return state["pair"]


def table(path):
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t", 1) for line in f if line.strip() and line[0] != "#"]


class Tally:
    """What came of a table of queries."""

    def __init__(self):
        self.asked = self.answered = 0
        self.explained, self.wrong = [], []

    def show(self, name):
        share = 100 * self.answered / max(self.asked, 1)
        print(f"# {name}: {self.answered} of {self.asked} queries marked ok have an answer in Prometheus "
              f"that is not empty: {share:.1f} %")
        for row, query in self.explained:
            print(f"# differs, known as {row.name} ({row.reason}): {query}")
        for text in self.wrong:
            print(f"# {text}")
        return share


def ask_table(pair, rows):
    tally, differences = Tally(), known.rows()
    for kind, query in rows:
        wanted = kind == "ok"
        first, last = float(RANGE["start"]), float(RANGE["end"])
        requests = [("/api/v1/query_range", RANGE, first, last)] + [
            ("/api/v1/query", {"time": t}, float(t), float(t)) for t in INSTANTS]
        for path, parameters, first, last in requests:
            ours, theirs = pair.ask(path, query, **parameters)
            judge(tally, differences, pair, query, (ours, theirs), first, last)
            if parameters is not RANGE:
                continue
            # At a single time the series may be missing that make a query fail.
            if (ours["status"] == "success") != wanted and theirs["status"] == ours["status"]:
                tally.wrong.append(f"{query} is marked {kind}: {ours.get('error', 'no error')}")
            tally.asked += wanted
            tally.answered += wanted and not compare.is_empty(theirs)
    return tally


def judge(tally, differences, pair, query, answers, first, last):
    ours, theirs = answers
    ordered = first == last and query.split("(")[0] in ORDERED
    why = compare.differ(ours, theirs, 0.0, ordered)
    if why:
        case = known.Case(query, ours, theirs, lambda text, t: pair.ask("/api/v1/query", text, time=t),
                          first, last)
        row = known.explain(differences, pair.version, case)
        if row and (row, query) not in tally.explained:
            tally.explained.append((row, query))
        if not row:
            tally.wrong.append(f"{query} from {first} to {last}: {why}")


def run_table(name, path):
    if not os.path.exists(path):
        skip("the corpus is not here")
    tally = ask_table(both(), table(path))
    share = tally.show(name)
    assert not tally.wrong, f"{len(tally.wrong)} answers differ"
    assert share >= 95, f"{share:.1f} % of the queries have an answer"


@test
def own_queries():
    run_table("own queries", os.path.join(HERE, "queries.tsv"))


@test
def queries_of_the_compliance_tester():
    run_table("compliance queries", CORPUS)


def hunt(seed, pair=None, extended=False):
    h = Hunt(pair or both(), known.rows(), extended)
    for i in range(options.queries):
        h.query(seed, i)
    print(f"# seed {seed}: {summary(h)}")
    counts, explained = h.counts, sum(h.explained.values())
    assert counts["answers"] >= 0.5 * counts["queries"], "too many queries have no answer"
    assert explained <= 0.03 * counts["queries"], "too many differences are explained away"


@test
def random_queries():
    for seed in options.seeds[:-1]:
        hunt(seed)


@test
def expressions_are_laid_out_the_same():
    """Apart from numbers, the first of a subquery's lines, and a matching that Prometheus 2 forgets."""
    def plain(answer):
        return re.sub(r"\s+", " ", answer.get("data", "").replace("1.5e+09", "1500000000"))

    for i in range(options.queries // 2):
        query = str(Grammar(random.Random(f"layout-{i}")).root())
        if "ignoring ()" not in query and "smoothing" not in query:
            ours, theirs = both().ask("/api/v1/format_query", query)
            assert plain(ours) == plain(theirs), (query, ours, theirs)


@test
def random_queries_over_parts():
    """The same samples, read from files instead of the head."""
    both().put_away()
    hunt(options.seeds[-1])


@test
def late_samples_and_metricsql_change_nothing():
    with Pair("--enable-feature=metricsql", backwards=True) as pair:
        hunt(options.seeds[0], pair, True)


def read_options():
    p = argparse.ArgumentParser()
    p.add_argument("--seeds", type=lambda text: [int(n) for n in text.split(",")], default=options.seeds)
    p.add_argument("--queries", type=int, default=options.queries)
    p.parse_args(namespace=options)


if __name__ == "__main__":
    read_options()
    try:
        main()
    finally:
        resources.close()
