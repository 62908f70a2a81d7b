// SPDX-License-Identifier: Apache-2.0
//
// The time range, the refresh clock and the zone that all pages share. The range lives in the address,
// the other two are the user's habits and live in local storage.

import { computed, effect, signal } from '@preact/signals';
import { lostSince, startProbe } from '../api/connection.ts';
import { decodeRange, dropPanelRange, encodeRange } from '../url-state/params.ts';
import { params, updateParams } from '../url-state/location.ts';
import { absoluteRange, isLive, resolveRange, shift, zoomOut, type Span, type TimeRange } from './range.ts';
import type { Zone } from './format.ts';
import { stored } from '../app/stored.ts';

/** In the user's words. */
export const range = computed<TimeRange>(() => decodeRange(params.value, Date.now()));

/** Counts refreshes; whoever shows data reloads when it changes. */
export const tick = signal(0);

/** 0 means automatic: as often as the range makes visible. -1 means never. */
export const refreshChoice = stored<number>('refresh', 0);
export const paused = signal(false);
export const zone = stored<Zone>('zone', 'local');

export const refreshChoices: readonly [number, string][] = [
    [0, 'Auto'], [5000, '5 s'], [10_000, '10 s'], [30_000, '30 s'], [60_000, '1 min'], [300_000, '5 min'], [-1, 'Off'],
];

/** A refresh that moves the picture by less than a pixel is not worth a query. */
function automatic(widthMs: number): number {
    const pixels = 800;
    const wanted = widthMs / pixels;
    return [5000, 10_000, 30_000, 60_000].find((ms) => wanted <= ms * 1.2) ?? 300_000;
}

/** Milliseconds between refreshes, or null while there are none. */
export const refreshMs = computed<number | null>(() => {
    if (!isLive(range.value) || refreshChoice.value === -1) return null;
    if (refreshChoice.value > 0) return refreshChoice.value;
    const span = currentSpan();
    return automatic(span.to - span.from);
});

export function refreshNow(): void {
    tick.value++;
}

export function setRange(next: TimeRange): void {
    updateParams((p) => {
        dropPanelRange(p);
        encodeRange(p, next);
    });
    refreshNow();
}

export function currentSpan(): Span {
    const now = Date.now();
    return resolveRange(range.value, now, zone.value) ?? { from: now - 3_600_000, to: now };
}

export function setSpan(span: Span): void {
    setRange(absoluteRange(span));
}

export function zoomOutNow(): void {
    setSpan(zoomOut(currentSpan(), Date.now()));
}

export function shiftNow(direction: -1 | 1): void {
    setSpan(shift(currentSpan(), direction, Date.now()));
}

/** Runs the refresh clock for the life of the application; a hidden tab asks nothing, nor does one whose server is away. */
export function startClock(): void {
    startProbe(refreshNow);
    let timer: number | undefined;
    effect(() => {
        window.clearInterval(timer);
        const every = refreshMs.value;
        if (every === null || paused.value || lostSince.value !== null) return;
        timer = window.setInterval(() => {
            if (!document.hidden) refreshNow();
        }, every);
    });
    document.addEventListener('visibilitychange', () => {
        if (!document.hidden && refreshMs.peek() !== null && !paused.peek()) refreshNow();
    });
}
