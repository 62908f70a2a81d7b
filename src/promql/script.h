// SPDX-License-Identifier: Apache-2.0
/*
 * Scripts in the test language of Prometheus: they load series into a source of their own, evaluate
 * expressions and compare. Commands start a line, what belongs to them is on the lines that follow,
 * up to an empty line or comment:
 *
 *     load 1m
 *       http_requests_total{job="a"} 0+10x10
 *     eval instant at 5m rate(http_requests_total[5m])
 *       {job="a"} 0.16666
 *     clear
 *
 * Values are a number, a+bxN, axN, `_`, `_xN`, `stale`, and histograms {{schema:0 count:1}} in
 * place of numbers; a line metric@st has the start times of the next one. load_with_nhcb also loads
 * classic histograms as native ones. `eval range from A to B step S`, `expect
 * fail|warn|info|no_warn|no_info|ordered [msg:|regex:TEXT]`, `expect string "x"` and `expect range
 * vector from A to B step S` are known, and the older eval_fail, eval_warn, eval_info,
 * eval_ordered. All experimental features are on, delayed name removal too. An instant evaluation
 * is repeated as the middle step of a range query, which must give the same.
 */
#ifndef PROMQL_SCRIPT_H
#define PROMQL_SCRIPT_H

#include "base/str.h"
#include "base/strbuf.h"

struct promql_script_report {
    size_t passed, failed;
    struct strbuf failures; /* "file:line: what" each on a line */
};

/* Runs all of it; never stops at a failure. A line that cannot be read counts as one. `features`:
 * enum promql_feature, beside those of upstream. */
void promql_script_run(str file, str text, unsigned features, struct promql_script_report *r);
void promql_script_report_fini(struct promql_script_report *r);

#endif
