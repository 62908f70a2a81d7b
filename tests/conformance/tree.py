# SPDX-License-Identifier: Apache-2.0
"""Queries as trees: printed, taken apart to find where an answer goes wrong, and made smaller.

A node is a list of parts: text, text that may be left out (`Opt`), and nodes. That is all that printing
and shrinking need to know.
"""


class Opt(str):
    """Text without which the node is still a query."""


# What Prometheus 2 calls otherwise.
SPELLINGS = {"double_exponential_smoothing": "holt_winters"}


def of_prometheus_2(text):
    for ours, theirs in SPELLINGS.items():
        text = text.replace(ours, theirs)
    return text


class Window:
    """Of a subquery. Times in milliseconds; `at`: None, "start", "end" or a time."""

    def __init__(self, range_ms, step_ms, offset_ms=0, at=None):
        self.range_ms, self.step_ms, self.offset_ms, self.at = range_ms, step_ms, offset_ms, at


class Node:
    """`type`: vector, scalar or range. `head`: the function, operator, ... it is about. `labels`: the
    labels that the series are expected to have. `window`: of a subquery."""

    def __init__(self, kind, head, parts, labels=frozenset(), window=None):
        self.type, self.head, self.parts = kind, head, parts
        self.labels, self.window = frozenset(labels), window

    def __str__(self):
        return "".join(str(p) for p in self.parts)

    def nodes(self):
        return [p for p in self.parts if isinstance(p, Node)]

    def size(self):
        return 1 + sum(n.size() for n in self.nodes())

    def with_part(self, i, part):
        return Node(self.type, self.head, [*self.parts[:i], part, *self.parts[i + 1:]], self.labels,
                    self.window)

    def below(self, *types):
        """All nodes under this one that have one of the types, the highest first."""
        level = self.nodes()
        while level:
            yield from (n for n in level if n.type in types)
            level = [below for n in level for below in n.nodes()]


class Grid:
    """When a query is evaluated, in milliseconds. `step_ms` 0: once, at `start_ms`."""

    def __init__(self, start_ms, end_ms, step_ms):
        self.start_ms, self.end_ms, self.step_ms = start_ms, end_ms, step_ms

    def __str__(self):
        if not self.step_ms:
            return f"at {self.start_ms / 1000:.3f}"
        return f"from {self.start_ms / 1000:.3f} to {self.end_ms / 1000:.3f} every {self.step_ms / 1000:.3f}"

    def request(self):
        """(path, parameters) of the query API."""
        if not self.step_ms:
            return "/api/v1/query", {"time": f"{self.start_ms / 1000:.3f}"}
        return "/api/v1/query_range", {"start": f"{self.start_ms / 1000:.3f}",
                                       "end": f"{self.end_ms / 1000:.3f}",
                                       "step": f"{self.step_ms / 1000:.3f}"}

    def of_subquery(self, w):
        """The grid on which a subquery evaluates what is in it; None when that is empty."""
        at = {"start": self.start_ms, "end": self.end_ms}.get(w.at, w.at)
        low, high = (self.start_ms, self.end_ms) if at is None else (at, at)
        low, high = low - w.offset_ms - w.range_ms, high - w.offset_ms
        first, last = (low // w.step_ms + 1) * w.step_ms, high // w.step_ms * w.step_ms
        return Grid(first, last, w.step_ms) if first <= last else None


def children(node, grid):
    """What the node is computed from: [(node, grid)]. The samples of a selector are taken as given."""
    out = []
    for n in node.nodes():
        if n.type != "range":
            out.append((n, grid))
        elif n.window and grid.of_subquery(n.window):
            out += [(inner, grid.of_subquery(n.window)) for inner in n.nodes()]
    return out


def leaf():
    return Node("vector", "selector", ["demo_num_cpus"], {"instance", "job"})


def smaller(node):
    """Trees that are a little simpler, the simplest first."""
    yield from (n for n in node.below("vector", "scalar") if n.type == node.type)
    yield from (n for n in node.below("vector", "scalar") if n.type != node.type)
    yield from inside(node)


def inside(node):
    """The node with one of its parts simpler."""
    for i, part in enumerate(node.parts):
        if isinstance(part, Opt):
            yield Node(node.type, node.head, node.parts[:i] + node.parts[i + 1:], node.labels, node.window)
        if not isinstance(part, Node):
            continue
        if part.type == "vector" and part.size() > 1:
            yield node.with_part(i, leaf())
        if part.type == "scalar" and str(part) != "1":
            yield node.with_part(i, Node("scalar", "number", ["1"]))
        for other in part.below(part.type):
            yield node.with_part(i, other)
        for other in inside(part):
            yield node.with_part(i, other)


def shrink(node, fails, patience=400):
    """The smallest tree found that still fails."""
    tried = set()
    for _ in range(patience):
        for candidate in smaller(node):
            if str(candidate) in tried or len(str(candidate)) >= len(str(node)):
                continue
            tried.add(str(candidate))
            if len(tried) > patience:
                return node
            if fails(candidate):
                node = candidate
                break
        else:
            return node
    return node
