// SPDX-License-Identifier: Apache-2.0
//
// A time range as the user said it (`now-1h` to `now`, or two instants) and as two instants.
// It stays in the user's words until a query is made, so that "last hour" moves with the clock.

import { formatDuration, parseDuration } from './duration.ts';
import type { Zone } from './format.ts';

export interface TimeRange {
    from: string;
    to: string;
}

/** Both in milliseconds since the epoch, from < to. */
export interface Span {
    from: number;
    to: number;
}

export const defaultRange: TimeRange = { from: 'now-1h', to: 'now' };

/** How many of year, month, day, hour and minute a unit keeps. */
const keptFields: Record<string, number> = { m: 5, h: 4, d: 3, w: 3, M: 2, y: 1 };

/**
 * One end of a range: `now`, `now-6h`, `now-1d/d`, epoch milliseconds, epoch seconds with a fraction,
 * or a date and time. A `/unit` rounds down, and for the end of a range up to the last instant of that unit.
 * Days begin, and dates are read, in `zone`. Null when it is none of these.
 */
export function parseTime(text: string, now: number, isEnd: boolean, zone: Zone = 'local'): number | null {
    const trimmed = text.trim();
    const relative = /^now(?:([+-])([0-9a-z]+))?(?:\/([mhdwMy]))?$/.exec(trimmed);
    if (relative !== null) {
        const [, sign, amount, unit] = relative;
        const delta = amount === undefined ? 0 : parseDuration(amount);
        if (delta === null) return null;
        const at = sign === '-' ? now - delta : now + delta;
        return unit === undefined ? at : roundTo(at, unit, isEnd, zone);
    }
    if (/^\d{12,14}$/.test(trimmed)) return Number(trimmed);
    if (/^\d{9,10}(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
    return parseDate(trimmed, zone);
}

function roundTo(at: number, unit: string, up: boolean, zone: Zone): number {
    const d = new Date(at);
    const utc = zone === 'utc';
    const fields = utc
        ? [d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate(), d.getUTCHours(), d.getUTCMinutes()]
        : [d.getFullYear(), d.getMonth(), d.getDate(), d.getHours(), d.getMinutes()];
    const kept = keptFields[unit];
    const cut = fields.map((field, i) => (i < kept ? field : i === 2 ? 1 : 0));
    if (unit === 'w') cut[2] -= ((utc ? d.getUTCDay() : d.getDay()) + 6) % 7;
    if (up) cut[kept - 1] += unit === 'w' ? 7 : 1;
    const [year, month, day, hour, minute] = cut;
    const edge = utc ? Date.UTC(year, month, day, hour, minute) : new Date(year, month, day, hour, minute).getTime();
    return up ? edge - 1 : edge;
}

function parseDate(text: string, zone: Zone): number | null {
    const match = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/.exec(text);
    if (match === null) return null;
    const [, day, minute = '00:00', second = ':00', offset = zone === 'utc' ? 'Z' : ''] = match;
    const ms = Date.parse(`${day}T${minute}${second}${offset}`);
    return Number.isNaN(ms) ? null : ms;
}

/** Null when an end is unreadable or the range is empty or backwards. */
export function resolveRange(range: TimeRange, now: number, zone: Zone = 'local'): Span | null {
    const from = parseTime(range.from, now, false, zone);
    const to = parseTime(range.to, now, true, zone);
    if (from === null || to === null || from >= to) return null;
    return { from, to };
}

/** True while the end moves with the clock: only then does refreshing make sense. */
export function isLive(range: TimeRange): boolean {
    return range.to.startsWith('now');
}

export function absoluteRange(span: Span): TimeRange {
    return { from: String(Math.round(span.from)), to: String(Math.round(span.to)) };
}

/** Twice as wide around the same centre, but never into the future. */
export function zoomOut(span: Span, now: number): Span {
    const half = (span.to - span.from) / 2;
    const to = Math.min(span.to + half, Math.max(now, span.to));
    return { from: to - 4 * half, to };
}

/** Moves by half its width; direction is -1 or 1. */
export function shift(span: Span, direction: -1 | 1, now: number): Span {
    const half = (span.to - span.from) / 2;
    const by = direction === 1 ? Math.min(half, Math.max(0, now - span.to)) : -half;
    return { from: span.from + by, to: span.to + by };
}

export interface QuickRange extends TimeRange {
    label: string;
}

const last = (amount: string, label: string): QuickRange => ({ from: `now-${amount}`, to: 'now', label });

export const quickRanges: readonly QuickRange[] = [
    last('5m', 'Last 5 minutes'),
    last('15m', 'Last 15 minutes'),
    last('30m', 'Last 30 minutes'),
    last('1h', 'Last hour'),
    last('3h', 'Last 3 hours'),
    last('6h', 'Last 6 hours'),
    last('12h', 'Last 12 hours'),
    last('24h', 'Last 24 hours'),
    last('2d', 'Last 2 days'),
    last('7d', 'Last 7 days'),
    last('30d', 'Last 30 days'),
    { from: 'now/d', to: 'now', label: 'Today so far' },
    { from: 'now-1d/d', to: 'now-1d/d', label: 'Yesterday' },
    { from: 'now/w', to: 'now', label: 'This week so far' },
];

/** The name of a relative range, or null when the range has to be described by its two instants. */
export function relativeName(range: TimeRange): string | null {
    const quick = quickRanges.find((q) => q.from === range.from && q.to === range.to);
    if (quick !== undefined) return quick.label;
    const amount = /^now-([0-9a-z]+)$/.exec(range.from);
    if (amount === null || range.to !== 'now') return null;
    const ms = parseDuration(amount[1]);
    return ms === null ? null : `Last ${formatDuration(ms)}`;
}
