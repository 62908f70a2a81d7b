// SPDX-License-Identifier: Apache-2.0
//
// How far apart the points of a chart are. The arithmetic is the one dashboards are written against
// (about one point a pixel, rounded to a step a person would choose, never finer than the data), so a
// panel shows the same numbers here as in the tool it came from.

import type { Span } from './range.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Below the first number (milliseconds a point would cover), use the second as the step. */
const roundSteps: readonly [number, number][] = [
    [10, 1], [15, 10], [35, 20], [75, 50], [150, 100], [350, 200], [750, 500],
    [1500, 1000], [3500, 2000], [7500, 5000], [12_500, 10_000], [17_500, 15_000], [25_000, 20_000], [45_000, 30_000],
    [1.5 * minute, minute], [3.5 * minute, 2 * minute], [7.5 * minute, 5 * minute], [12.5 * minute, 10 * minute],
    [17.5 * minute, 15 * minute], [25 * minute, 20 * minute], [45 * minute, 30 * minute],
    [1.5 * hour, hour], [2.5 * hour, 2 * hour], [4.5 * hour, 3 * hour], [9 * hour, 6 * hour], [24 * hour, 12 * hour],
    [7 * day, day], [21 * day, 7 * day], [42 * day, 30 * day],
];

/** The server refuses more points a series than this. */
const pointsMax = 11_000;

function roundStep(ms: number): number {
    return roundSteps.find(([limit]) => ms < limit)?.[1] ?? 365 * day;
}

/** Milliseconds between points for a range drawn `widthPx` wide. `stepMin` is the scrape interval or the user's wish. */
export function chooseStep(rangeMs: number, widthPx: number, stepMin: number): number {
    const step = Math.max(roundStep(Math.round(rangeMs / Math.max(1, widthPx))), stepMin);
    const safe = Math.ceil(rangeMs / pointsMax);
    return step >= safe ? step : roundStep(safe * 2);
}

/** The window for `rate`: at least four scrapes, so that one missed scrape leaves a value. */
export function rateWindow(step: number, scrapeInterval: number): number {
    return Math.max(step + scrapeInterval, 4 * scrapeInterval);
}

/** Both ends on multiples of the step, so that a chart does not wobble as the clock moves. */
export function alignSpan(span: Span, step: number): Span {
    return { from: Math.floor(span.from / step) * step, to: Math.floor(span.to / step) * step };
}
