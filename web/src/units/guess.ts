// SPDX-License-Identifier: Apache-2.0
//
// The unit of what a query answers, read off the names in it: Prometheus' naming rules put the unit last
// (https://prometheus.io/docs/practices/naming/). Only sure guesses are made: anything that multiplies,
// divides, counts or mixes units is a plain number.

const suffixes: readonly [string, string][] = [
    ['_bytes', 'bytes'],
    ['_seconds', 's'],
    ['_milliseconds', 'ms'],
    ['_ratio', 'percentunit'],
    ['_percent', 'percent'],
    ['_celsius', 'celsius'],
    ['_hertz', 'hertz'],
];

export const plainUnit = 'short';

/** Of a metric's own values. An instant (`_timestamp_seconds`) is no length of time. */
export function metricUnit(name: string): string {
    if (/_(bucket|count)$|_(timestamp|time)_seconds$/.test(name)) return plainUnit;
    const base = name.replace(/_(total|sum|max|min|avg)$/, '');
    return suffixes.find(([suffix]) => base.endsWith(suffix))?.[1] ?? plainUnit;
}

const keeps = new Set([
    'sum', 'avg', 'min', 'max', 'topk', 'bottomk', 'limitk', 'limit_ratio', 'quantile', 'abs', 'ceil', 'floor', 'round', 'clamp', 'clamp_min', 'clamp_max',
    'sort', 'sort_desc', 'sort_by_label', 'sort_by_label_desc', 'label_replace', 'label_join', 'scalar', 'vector', 'increase', 'delta', 'idelta',
    'avg_over_time', 'min_over_time', 'max_over_time', 'sum_over_time', 'last_over_time', 'first_over_time', 'quantile_over_time', 'predict_linear',
    'histogram_avg', 'histogram_sum', 'stddev', 'stddev_over_time',
]);
const rates = new Set(['rate', 'irate', 'deriv']);
const words = new Set(['and', 'or', 'unless', 'offset', 'bool', 'start', 'end', 'inf', 'nan', 'atan2']);

interface Names {
    metrics: string[];
    functions: string[];
}

/** Null when the text is not a simple enough query. */
function namesOf(query: string): Names | null {
    const bare = query
        .replace(/#.*$/gm, '')
        .replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`/g, '""')
        .replace(/\{[^}]*\}|\[[^\]]*\]/g, '')
        .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*(\([^)]*\))?/g, '');
    if (/[*/%^]/.test(bare)) return null;
    const found: Names = { metrics: [], functions: [] };
    for (const [, name, call] of bare.matchAll(/(?<![\w.:])([a-zA-Z_:][\w:]*)\s*(\(?)/g)) {
        if (words.has(name.toLowerCase())) continue;
        (call === '(' ? found.functions : found.metrics).push(name);
    }
    return found;
}

export function queryUnit(query: string): string {
    const names = namesOf(query);
    if (names === null || names.metrics.length === 0) return plainUnit;
    const quantile = names.functions.some((f) => f === 'histogram_quantile' || f === 'histogram_avg');
    const known = (f: string) => keeps.has(f) || rates.has(f) || f === 'histogram_quantile';
    if (!names.functions.every(known)) return plainUnit;
    const units = new Set(names.metrics.map((m) => metricUnit(quantile ? m.replace(/_bucket$/, '') : m)));
    const [unit] = units;
    if (units.size !== 1) return plainUnit;
    if (quantile || !names.functions.some((f) => rates.has(f))) return unit;
    return unit === 'bytes' ? 'Bps' : plainUnit;
}
