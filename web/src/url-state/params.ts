// SPDX-License-Identifier: Apache-2.0
//
// The address is the state: everything a colleague needs to see the same page is in plain, short query
// parameters. Values equal to the default are left out.

import { formatDuration, parseDuration } from '../time/duration.ts';
import { absoluteRange, defaultRange, resolveRange, type TimeRange } from '../time/range.ts';

/** `?from=now-6h&to=now`; missing or unreadable ends fall back to the default. */
export function decodeRange(params: URLSearchParams, now: number): TimeRange {
    const from = params.get('from');
    const to = params.get('to') ?? defaultRange.to;
    if (from === null) return decodePanelRange(params, now) ?? defaultRange;
    const range = { from, to };
    return resolveRange(range, now) === null ? defaultRange : range;
}

export function encodeRange(params: URLSearchParams, range: TimeRange): void {
    params.delete('from');
    params.delete('to');
    if (range.from === defaultRange.from && range.to === defaultRange.to) return;
    params.set('from', range.from);
    if (range.to !== defaultRange.to) params.set('to', range.to);
}

/** Prometheus' own pair, `g0.range_input=1h&g0.end_input=2026-03-01 12:00:00` (UTC); no end means now. */
function decodePanelRange(params: URLSearchParams, now: number): TimeRange | null {
    const width = parseDuration(params.get('g0.range_input') ?? '');
    if (width === null || width <= 0) return null;
    const endText = params.get('g0.end_input') ?? params.get('g0.moment_input') ?? '';
    if (endText === '') return { from: `now-${formatDuration(width)}`, to: 'now' };
    const end = parseInput(endText, now);
    return end === null ? null : absoluteRange({ from: end - width, to: end });
}

/** Takes that pair out of every panel, before another range is written. */
export function dropPanelRange(params: URLSearchParams): void {
    for (const name of [...params.keys()]) if (/^g\d+\.(range|end|moment)_input$/.test(name)) params.delete(name);
}

function parseInput(text: string, now: number): number | null {
    const utc = Date.parse(text.trim().replace(' ', 'T') + (/[zZ]|[+-]\d{2}:?\d{2}$/.test(text) ? '' : 'Z'));
    return Number.isNaN(utc) || utc > now + 365 * 86_400_000 ? null : utc;
}

/** `1h` and the end as Prometheus writes it; an empty end means now. */
export function panelRange(range: TimeRange, now: number): { width: string; end: string } {
    const span = resolveRange(range, now) ?? { from: now - 3_600_000, to: now };
    const width = formatDuration(Math.max(1000, Math.round((span.to - span.from) / 1000) * 1000));
    const end = range.to === 'now' ? '' : new Date(span.to).toISOString().slice(0, 19).replace('T', ' ');
    return { width, end };
}

export interface QueryPanel {
    expr: string;
    tab: 'table' | 'graph' | 'explain';
    stacked: boolean;
    /** A unit's name; empty: as the names in the query tell. */
    unit: string;
}

/** Panels `g0`, `g1`, ... in the order of their numbers; both the old numeric and the new named values are read. */
export function decodePanels(params: URLSearchParams): QueryPanel[] {
    const found = new Map<number, QueryPanel>();
    for (const name of params.keys()) {
        const match = /^g(\d{1,3})\.expr$/.exec(name);
        if (match === null) continue;
        const prefix = `g${match[1]}.`;
        const tab = params.get(prefix + 'tab');
        found.set(Number(match[1]), {
            expr: params.get(name) ?? '',
            tab: tab === '1' || tab === 'table' ? 'table' : tab === 'explain' ? 'explain' : 'graph',
            stacked: params.get(prefix + 'stacked') === '1' || params.get(prefix + 'display_mode') === 'stacked',
            unit: params.get(prefix + 'unit') ?? '',
        });
    }
    return [...found].sort(([a], [b]) => a - b).map(([, panel]) => panel);
}

/** The numbers are Prometheus' old ones, which everything reads. */
const tabNames: Record<QueryPanel['tab'], string> = { table: '1', graph: '0', explain: 'explain' };

export function encodePanels(panels: readonly QueryPanel[], range: TimeRange, now: number): URLSearchParams {
    const params = new URLSearchParams();
    const { width, end } = panelRange(range, now);
    panels.forEach((panel, i) => {
        params.set(`g${i}.expr`, panel.expr);
        params.set(`g${i}.tab`, tabNames[panel.tab]);
        if (panel.stacked) params.set(`g${i}.display_mode`, 'stacked');
        if (panel.unit !== '') params.set(`g${i}.unit`, panel.unit);
        params.set(`g${i}.range_input`, width);
        if (end !== '') params.set(`g${i}.end_input`, end);
    });
    // What the pair above cannot say exactly (`now/d`, milliseconds) is kept beside it.
    if (range.from.includes('/') || range.to.includes('/')) encodeRange(params, range);
    return params;
}
