// SPDX-License-Identifier: Apache-2.0
//
// From names and metadata to what a person looks for: one entry a metric, where the series of a histogram or a
// summary are one metric. Pure.

import type { Metadata } from '../../api/types.ts';
import { metricUnit } from '../../units/guess.ts';

export const types = ['counter', 'gauge', 'histogram', 'summary', 'info', 'unknown'] as const;
export type MetricType = (typeof types)[number];

export interface Metric {
    /** What is shown and linked: the family's name. */
    name: string;
    type: MetricType;
    help: string;
    unit: string;
    /** Names of series that belong to it, sorted. */
    names: string[];
}

export type MetadataByFamily = Readonly<Record<string, readonly Metadata[]>>;

const parts = /_(bucket|count|sum|total|created|info|gcount|gsum)$/;

function typeOf(meta: Metadata | undefined, name: string): MetricType {
    const told = types.find((t) => t === meta?.type);
    if (told !== undefined && told !== 'unknown') return told;
    // Data that was written without metadata still follows the naming rules.
    if (/_total$/.test(name)) return 'counter';
    return /_info$/.test(name) ? 'info' : 'unknown';
}

/** A family's name when it is told; `x` when `x_bucket` and `x_count` both exist; else the name itself. */
function familyOf(name: string, metadata: MetadataByFamily, all: ReadonlySet<string>): string {
    const [told] = metadata[name] ?? [];
    if (told !== undefined && told.type !== 'unknown' && told.type !== '') return name;
    const base = name.replace(parts, '');
    if (base === name) return name;
    if (metadata[base] !== undefined && metadata[base][0]?.type !== 'unknown') return base;
    const histogram = all.has(`${base}_bucket`) && all.has(`${base}_count`);
    return histogram && /_(bucket|count|sum|created)$/.test(name) ? base : name;
}

export function catalog(names: readonly string[], metadata: MetadataByFamily): Metric[] {
    const all = new Set(names);
    const families = new Map<string, string[]>();
    for (const name of names) {
        const family = familyOf(name, metadata, all);
        const list = families.get(family);
        if (list === undefined) families.set(family, [name]);
        else list.push(name);
    }
    return [...families]
        .map(([name, members]) => {
            const [meta] = metadata[name] ?? [];
            const bucketed = members.includes(`${name}_bucket`);
            const unit = meta?.unit !== undefined && meta.unit !== '' ? metricUnit(`x_${meta.unit}`) : metricUnit(name);
            return { name, type: bucketed ? 'histogram' : typeOf(meta, name), help: meta?.help ?? '', unit, names: members.sort() };
        })
        .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Every word has to occur in the name or the help; those with all words in the name come first. */
export function search(all: readonly Metric[], text: string, type: MetricType | null): Metric[] {
    const words = text.toLowerCase().split(/\s+/).filter((w) => w !== '');
    const byName: Metric[] = [];
    const byHelp: Metric[] = [];
    for (const metric of all) {
        if (type !== null && metric.type !== type) continue;
        const name = metric.name.toLowerCase();
        if (words.every((w) => name.includes(w))) byName.push(metric);
        else if (words.every((w) => name.includes(w) || metric.help.toLowerCase().includes(w))) byHelp.push(metric);
    }
    return [...byName, ...byHelp];
}

export function countTypes(all: readonly Metric[]): Record<MetricType, number> {
    const counts = Object.fromEntries(types.map((t) => [t, 0])) as Record<MetricType, number>;
    for (const metric of all) counts[metric.type]++;
    return counts;
}

export interface Suggestion {
    title: string;
    expr: string;
}

/** OpenMetrics names a counter's series `x_total` and an info's `x_info`. */
function seriesOf(name: string, names: readonly string[]): string {
    if (names.includes(name)) return name;
    return names.find((n) => n === `${name}_total` || n === `${name}_info`) ?? names[0] ?? name;
}

/** What to ask of a metric: it depends on its type alone. `selector` is `name{...}` without the name, or empty. */
export function suggestions({ name, type, names }: Metric, selector = ''): Suggestion[] {
    const s = seriesOf(name, names) + selector;
    if (type === 'counter') {
        return [
            { title: 'Per second', expr: `sum(rate(${s}[5m]))` },
            { title: 'Per second, by job', expr: `sum by (job) (rate(${s}[5m]))` },
            { title: 'Growth in an hour', expr: `sum(increase(${s}[1h]))` },
            { title: 'Most active series', expr: `topk(10, rate(${s}[5m]))` },
        ];
    }
    if (type === 'histogram' && names.includes(`${name}_bucket`)) {
        const buckets = `sum by (le) (rate(${name}_bucket${selector}[5m]))`;
        return [
            { title: '95th percentile', expr: `histogram_quantile(0.95, ${buckets})` },
            { title: 'Median', expr: `histogram_quantile(0.5, ${buckets})` },
            { title: 'Mean', expr: `sum(rate(${name}_sum${selector}[5m])) / sum(rate(${name}_count${selector}[5m]))` },
            { title: 'Observations per second', expr: `sum(rate(${name}_count${selector}[5m]))` },
        ];
    }
    if (type === 'histogram') {
        return [
            { title: '95th percentile', expr: `histogram_quantile(0.95, sum(rate(${s}[5m])))` },
            { title: 'Mean', expr: `histogram_avg(sum(rate(${s}[5m])))` },
            { title: 'Observations per second', expr: `sum(histogram_count(rate(${s}[5m])))` },
        ];
    }
    if (type === 'summary') {
        return [
            { title: 'Mean', expr: `sum(rate(${name}_sum${selector}[5m])) / sum(rate(${name}_count${selector}[5m]))` },
            { title: 'Observations per second', expr: `sum(rate(${name}_count${selector}[5m]))` },
            ...(names.includes(name) ? [{ title: 'Quantiles as told', expr: `max by (quantile) (${s})` }] : []),
        ];
    }
    if (type === 'info') return [{ title: 'All of them', expr: s }, { title: 'How many', expr: `count(${s})` }];
    return [
        { title: 'Mean', expr: `avg(${s})` },
        { title: 'Highest', expr: `max(${s})` },
        { title: 'Lowest', expr: `min(${s})` },
        { title: 'Top ten series', expr: `topk(10, ${s})` },
    ];
}

