# SPDX-License-Identifier: Apache-2.0
"""Random queries that are valid and mostly say something: types fit, labels are there, vectors match.

All of Prometheus 2.42's language. Times, ranges and offsets are even milliseconds, the borders of a
subquery's window are never multiples of its step: see `demo`.
"""

import demo
from tree import Grid, Node, Opt, Window

COMMON = {"instance": ("demo.promlabs.com:10000", "demo.promlabs.com:10001", "demo.promlabs.com:10002"),
          "job": ("demo",)}
API = {"method": ("GET", "POST"), "path": ("/api/foo", "/api/bar", "/api/nonexistent"),
       "status": ("200", "404", "500")}
FAMILIES = {
    "demo_cpu_usage_seconds_total": {"mode": ("idle", "user", "system")},
    "demo_memory_usage_bytes": {"type": ("free", "used", "cached", "buffers", "swap")},
    "demo_disk_usage_bytes": {}, "demo_disk_total_bytes": {}, "demo_num_cpus": {},
    "demo_api_request_duration_seconds_bucket": {**API, "le": ("0.1", "0.5", "1", "+Inf")},
    "demo_api_request_duration_seconds_count": API, "demo_api_request_duration_seconds_sum": API,
    "demo_api_http_requests_in_progress": {}, "demo_items_shipped_total": {},
    "demo_batch_last_success_timestamp_seconds": {}, "demo_batch_last_run_processed_bytes": {},
    "demo_is_holiday": {}, "demo_intermittent_metric": {}, "up": {},
}
BUCKETS = "demo_api_request_duration_seconds_bucket"
NAMES_BY_REGEX = ("demo_disk_.*", "demo_(num_cpus|is_holiday)", "demo_batch.+", "up|demo_items.*",
                  ".*_total|up", "demo_api_request_duration_seconds_.+")
NUMBERS = ("0", "1", "2", "-1", "0.5", "3", "10", "1e3", "1.5e9", "0.001", "0x1F", "Inf", "NaN", "1e-3", "64")
WINDOWS = ("30s", "1m", "1m", "90s", "2m", "5m", "5m", "7m10s", "15m", "1h")
SPANS = (("1m2ms", 60002), ("2m4ms", 120004), ("5m2ms", 300002), ("10m6ms", 600006))
STEPS = (("10s", 10000), ("15s", 15000), ("30s", 30000), ("45s", 45000), ("1m", 60000), ("", 60000))
MATH = ("abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "sgn", "deg", "rad", "sin", "cos",
        "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "round")
DATES = ("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year")
OVER_TIME = ("sum", "avg", "min", "max", "count", "last", "present", "stddev", "stdvar")
COUNTERS = ("rate", "increase", "irate", "resets", "rate", "increase")
GAUGES = ("delta", "idelta", "deriv", "changes")
FOLDS = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "sum", "avg")
ARITHMETIC = ("+", "-", "*", "/", "%", "^", "atan2")
COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
SETS = ("and", "or", "unless")
LABELS = ("instance", "job", "type", "mode", "method", "path", "status", "le", "nothing")


class Grammar:
    """One query grown from one random source."""

    def __init__(self, rng, depth=4):
        self.random, self.depth = rng.random, depth

    def chance(self, p):
        return self.random() < p

    def pick(self, things):
        return things[int(self.random() * len(things))]

    def some(self, things, at_least=0):
        things = sorted(things)
        chosen = [t for t in things if self.chance(0.5)]
        while len(chosen) < min(at_least, len(things)):
            chosen = sorted({*chosen, self.pick(things)})
        return chosen

    def root(self):
        return self.vector(self.depth) if self.chance(0.93) else self.scalar(self.depth)

    def grid(self):
        start = demo.START_S * 1000 + int(self.random() * 3000) * 1000 + 500
        if self.chance(0.3):
            return Grid(start, start, 0)
        step = self.pick((10000, 17000, 30000, 60002, 200000))
        return Grid(start, min(start + step * (3 + int(self.random() * 10)), demo.END_S * 1000), step)

    # ---- leaves ----

    def number(self):
        return Node("scalar", "number", [self.pick(NUMBERS)])

    def matcher(self, values):
        name = self.pick(sorted(values))
        value = self.pick(values[name])
        other = self.pick(values[name])
        return Opt(self.pick((f'{name}="{value}",', f'{name}!="{value}",', f'{name}=~"{value}|{other}",',
                              f'{name}!~"{value[:-1]}.*",', f'{name}=~".*{value[1:]}",', f'{name}=~".+",',
                              'nothing="",', f'{name}!~"",')))

    def when(self):
        out, offset_ms, at = [], 0, None
        if self.chance(0.15):
            text, offset_ms = self.pick((("1m", 60000), ("5m", 300000), ("-1m", -60000), ("12s", 12000),
                                         ("10m", 600000)))
            out.append(Opt(f" offset {text}"))
        if self.chance(0.08):
            at = self.pick(("start", "end", demo.START_S * 1000 + int(self.random() * 3600) * 1000 + 500))
            out.append(Opt(f" @ {at}()" if isinstance(at, str) else f" @ {at / 1000:.3f}"))
        return out, offset_ms, at

    def selector(self, family=None, window=""):
        matchers = []
        if not family and self.chance(0.06):
            values, head = COMMON, ['{__name__=~"', self.pick(NAMES_BY_REGEX), '",']
        else:
            family = family or self.pick(tuple(FAMILIES))
            values, head = {**COMMON, **FAMILIES[family]}, [family, "{"]
        while self.chance(0.35):
            matchers.append(self.matcher(values))
        when = self.when()[0]
        kind = "range" if window else "vector"
        return Node(kind, "selector", [*head, *matchers, "}", window, *when], values)

    def range(self, depth, families=None):
        if depth > 1 and self.chance(0.2):
            return self.subquery(depth - 1)
        return self.selector(self.pick(families) if families else None, f"[{self.pick(WINDOWS)}]")

    def subquery(self, depth):
        inner = self.vector(depth)
        (span, range_ms), (step, step_ms) = self.pick(SPANS), self.pick(STEPS)
        when, offset_ms, at = self.when()
        return Node("range", "subquery", ["(", inner, f")[{span}:{step}]", *when], inner.labels,
                    Window(range_ms, step_ms, offset_ms, at))

    # ---- scalars ----

    def scalar(self, depth):
        if depth <= 0 or self.chance(0.6):
            return self.number()
        ways = (lambda: Node("scalar", "time", ["time()"]), lambda: Node("scalar", "pi", ["pi()"]),
                lambda: self.call("scalar", "scalar", self.vector(depth - 1)),
                lambda: self.call("scalar", "scalar", self.fold(depth - 1, by=())),
                lambda: Node("scalar", "unary", ["-(", self.scalar(depth - 1), ")"]),
                lambda: self.scalars(depth))
        return self.pick(ways)()

    def scalars(self, depth):
        if self.chance(0.3):
            op = self.pick(COMPARISONS) + " bool"
        else:
            op = self.pick(ARITHMETIC)
        return Node("scalar", op, ["(", self.scalar(depth - 1), f" {op} ", self.scalar(depth - 1), ")"])

    # ---- vectors ----

    def call(self, kind, name, *args, labels=None):
        parts = [name, "("]
        for i, arg in enumerate(args):
            parts += [", "] * (i > 0) + [arg]
        if labels is None:
            labels = next((a.labels for a in args if isinstance(a, Node) and a.labels), ())
        return Node(kind, str(name), [*parts, ")"], labels)

    def vector(self, depth):
        if depth <= 0:
            return self.selector()
        ways = ((3, self.leaf), (5, self.over_range), (5, self.fold), (3, self.choose), (4, self.function),
                (4, self.one_to_one), (2, self.many_to_one), (1, self.any_match), (3, self.with_scalar),
                (2, self.set), (2, self.relabel), (2, self.quantile), (1, self.rare))
        at = self.random() * sum(w for w, _ in ways)
        for weight, way in ways:
            at -= weight
            if at < 0:
                break
        return way(depth - 1)

    def leaf(self, depth):
        return self.selector()

    def over_range(self, depth):
        if self.chance(0.45):
            counters = [f for f in FAMILIES if f.endswith(("_total", "_count", "_sum", "_bucket"))]
            return self.call("vector", self.pick(COUNTERS), self.range(depth, counters))
        if self.chance(0.6):
            return self.call("vector", self.pick(OVER_TIME) + "_over_time", self.range(depth))
        way = int(self.random() * 6)
        if way == 0:
            return self.call("vector", "quantile_over_time", self.scalar(depth - 1), self.range(depth))
        if way == 1:
            return self.call("vector", "predict_linear", self.range(depth), self.scalar(depth - 1))
        if way == 2:
            factors = Node("scalar", "number", [self.pick(("0.1", "0.5"))]), Node("scalar", "number", ["0.3"])
            return self.call("vector", "double_exponential_smoothing", self.range(depth), *factors)
        return self.call("vector", self.pick(GAUGES), self.range(depth))

    def grouping(self, labels, by=None):
        """(text, labels that remain)"""
        if by is None and self.chance(0.3):
            return "", ()
        names = self.some(labels | {self.pick(LABELS)}) if by is None else by
        if by is None and self.chance(0.3):
            return f" without ({', '.join(names)}) ", labels - set(names)
        return f" by ({', '.join(names)}) ", labels & set(names)

    def fold(self, depth, by=None, of=None):
        inner = of or self.vector(depth)
        op = self.pick(FOLDS)
        text, labels = self.grouping(inner.labels, by)
        if self.chance(0.2):
            return Node("vector", op, [op, "(", inner, ")", Opt(text)], labels)
        return Node("vector", op, [op, Opt(text), "(", inner, ")"], labels)

    def choose(self, depth):
        inner = self.vector(depth)
        op = self.pick(("topk", "bottomk", "quantile", "count_values", "topk"))
        text, labels = self.grouping(inner.labels)
        if op == "count_values":
            return Node("vector", op, [op, Opt(text), '("', self.pick(("value", "job")), '", ', inner, ")"],
                        {*labels, "value"})
        parameter = self.scalar(depth - 1) if op == "quantile" or self.chance(0.2) else Node(
            "scalar", "number", [self.pick(("1", "2", "3", "5", "0"))])
        labels = labels if op == "quantile" else inner.labels
        return Node("vector", op, [op, Opt(text), "(", parameter, ", ", inner, ")"], labels)

    def function(self, depth):
        way = int(self.random() * 8)
        v = self.vector(depth)
        if way == 0:
            return self.call("vector", "clamp", v, self.scalar(depth - 1), self.scalar(depth - 1))
        if way == 1:
            return self.call("vector", self.pick(("clamp_min", "clamp_max")), v, self.scalar(depth - 1))
        if way == 2:
            return self.call("vector", "round", v, self.pick(("0.1", "5", "0.25", "1e3", "-2")))
        if way == 3:
            return Node("vector", "unary", ["-(", v, ")"], v.labels)
        if way == 4:
            return self.call("vector", self.pick(("timestamp", "sort", "sort_desc", *DATES)), v)
        return self.call("vector", self.pick(MATH), v)

    def operator(self):
        """(text, head)"""
        if self.chance(0.35):
            op = self.pick(COMPARISONS)
            return [f" {op} ", Opt("bool ") if self.chance(0.5) else ""], op
        op = self.pick(ARITHMETIC)
        return [f" {op} "], op

    def binary(self, a, b, matching, op, labels):
        text, head = op
        opened, closed = ("(", ")") if self.chance(0.7) else ("", "")
        return Node("vector", head, [opened, a, closed, *text, *matching, opened, b, closed], labels)

    def one_to_one(self, depth):
        """Two things of the same labels: the same vector twice, or two sums by the same."""
        a = self.vector(depth)
        if self.chance(0.5):
            b = self.call("vector", self.pick(("abs", "floor", "sgn", "timestamp")), a)
            return self.binary(a, b, [], self.operator(), a.labels)
        other = self.vector(depth)
        by = self.some(a.labels & other.labels, 1)
        a, b = self.fold(depth, by, a), self.fold(depth, by, other)
        on = [Opt(f"on ({', '.join(by)}) ")] if self.chance(0.3) else []
        return self.binary(a, b, on, self.operator(), by)

    def many_to_one(self, depth):
        many, other = self.vector(depth), self.vector(depth)
        by = self.some(many.labels & other.labels, 1)
        one = self.fold(depth, by, other)
        include = self.pick(("", "", "extra", "nothing"))
        if include == "extra":
            one = Node("vector", "label_replace",
                       ["label_replace(", one, ', "extra", "x$1", "instance", ".*:(.*)")'], {*by, "extra"})
        matching = f"on ({', '.join(by)}) group_%s ({include}) "
        labels = many.labels | set(filter(None, [include]))
        if self.chance(0.5):
            return self.binary(many, one, [matching % "left"], self.operator(), labels)
        return self.binary(one, many, [matching % "right"], self.operator(), labels)

    def any_match(self, depth):
        """Matching that may well be refused."""
        a, b = self.vector(depth), self.vector(depth)
        names = self.some(a.labels | {self.pick(LABELS)})
        matching = f"{self.pick(('on', 'ignoring'))} ({', '.join(names)}) "
        matching += self.pick(("", "", "group_left () ", "group_right () ",
                               f"group_left ({self.pick(LABELS)}) "))
        return self.binary(a, b, [Opt(matching)], self.operator(), a.labels)

    def with_scalar(self, depth):
        v, s = self.vector(depth), self.scalar(depth)
        a, b = (v, s) if self.chance(0.6) else (s, v)
        return self.binary(a, b, [], self.operator(), v.labels)

    def set(self, depth):
        a, b = self.vector(depth), self.vector(depth)
        op, matching = self.pick(SETS), []
        if self.chance(0.6):
            names = ", ".join(self.some(a.labels & b.labels))
            matching = [Opt(f"{self.pick(('on', 'on', 'ignoring'))} ({names}) ")]
        return self.binary(a, b, matching, ([f" {op} "], op), a.labels)

    def relabel(self, depth):
        v = self.vector(depth)
        source = self.pick(sorted(v.labels) or LABELS)
        target = self.pick(("extra", "job", "extra", source, "instance"))
        if self.chance(0.3):
            return self.call("vector", "label_join", v, f'"{target}", "-", "{source}", "{self.pick(LABELS)}"',
                             labels=v.labels | {target})
        regex, to = self.pick((("(.*)", "x-$1"), ("(.).*", "$1"), (".*:(.*)", "$1"), ("none", "x"),
                               (".*", ""), ("(?P<a>.)(.*)", "${2}-${a}"), (".*", "$1")))
        return self.call("vector", "label_replace", v, f'"{target}", "{to}", "{source}", "{regex}"',
                         labels=v.labels | {target})

    def quantile(self, depth):
        way = int(self.random() * 4)
        if way == 0:
            v = self.selector(BUCKETS)
        elif way == 1:
            v = self.call("vector", self.pick(("rate", "increase")), self.range(0, (BUCKETS,)))
        elif way == 2:
            v = self.call("vector", "rate", self.range(0, (BUCKETS,)))
            v = self.fold(depth, sorted({"le", *self.some(v.labels)}), v)
        else:
            v = self.vector(depth)
        q = self.pick(("0.5", "0.9", "0.99", "0.1", "0", "1", "-1", "2", "0.123", "NaN"))
        q = self.scalar(1) if self.chance(0.1) else Node("scalar", "number", [q])
        return self.call("vector", "histogram_quantile", q, v, labels=v.labels - {"le"})

    def rare(self, depth):
        way = int(self.random() * 5)
        if way == 0:
            return self.call("vector", "absent", self.vector(depth))
        if way == 1:
            return self.call("vector", "absent_over_time", self.range(depth))
        if way == 2:
            return self.call("vector", "vector", self.scalar(depth), labels=())
        if way == 3:
            return Node("vector", "date", [self.pick(DATES), "()"])
        return self.call("vector", "vector", Node("scalar", "time", ["time()"]), labels=())
