// SPDX-License-Identifier: Apache-2.0
//
// From range answers to what a chart draws: one shared time axis, one column a series. Pure, so that the
// arithmetic is tested without a browser.

import type { Labels, MatrixEntry } from '../api/types.ts';
import { fillTemplate, seriesName, shortNames } from './legend.ts';

export type Column = (number | null)[];

export interface Line {
    /** Stays the same from refresh to refresh, so that a hidden line stays hidden. */
    key: string;
    name: string;
    labels: Labels;
    /** As the query gave them; drawing may mirror or stack them. */
    values: Column;
    mirrored: boolean;
    dashed: boolean;
}

export interface Frame {
    /** Seconds since the epoch, ascending. */
    times: number[];
    lines: Line[];
    /** Series left out because there were more than a chart can show. */
    dropped: number;
}

export interface Part {
    matrix: readonly MatrixEntry[];
    /** Legend template; without one the names are the labels that differ. */
    legend?: string;
    mirrored?: boolean;
    dashed?: boolean;
}

/** More lines than this are neither readable nor quick to draw. */
export const linesMax = 200;

export const emptyFrame: Frame = { times: [], lines: [], dropped: 0 };

/** `stepSeconds` is the distance between points; the axis runs over whole steps from the first to the last point of any series. */
export function buildFrame(parts: readonly Part[], stepSeconds: number): Frame {
    const all = parts.flatMap((p) => p.matrix.flatMap((m) => m.values ?? []));
    if (all.length === 0) return emptyFrame;
    const first = all.reduce((min, [t]) => Math.min(min, t), Infinity);
    const last = all.reduce((max, [t]) => Math.max(max, t), -Infinity);
    const count = Math.round((last - first) / stepSeconds) + 1;
    const times = Array.from({ length: count }, (_, i) => first + i * stepSeconds);
    const lines = parts.flatMap((part, i) => partLines(part, i, first, stepSeconds, count));
    const kept = lines.length <= linesMax ? lines : strongest(lines);
    return { times, lines: kept, dropped: lines.length - kept.length };
}

function partLines(part: Part, index: number, first: number, step: number, count: number): Line[] {
    const series = part.matrix.filter((m) => (m.values?.length ?? 0) > 0);
    const automatic = part.legend === undefined ? shortNames(series.map((m) => m.metric)) : [];
    return series.map((m, i) => {
        const values: Column = new Array<number | null>(count).fill(null);
        for (const [t, v] of m.values ?? []) {
            const value = Number(v);
            values[Math.round((t - first) / step)] = Number.isFinite(value) ? value : null;
        }
        return {
            key: `${index} ${seriesName(m.metric)}`,
            name: part.legend === undefined ? automatic[i] : fillTemplate(part.legend, m.metric),
            labels: m.metric,
            values,
            mirrored: part.mirrored ?? false,
            dashed: part.dashed ?? false,
        };
    });
}

export function lastValue(values: Column): number | null {
    for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null) return values[i];
    return null;
}

function strongest(lines: Line[]): Line[] {
    const size = (l: Line) => Math.abs(lastValue(l.values) ?? 0);
    const limit = lines.map(size).sort((a, b) => b - a)[linesMax - 1];
    return lines.filter((l) => size(l) >= limit).slice(0, linesMax);
}

/** The columns to draw: mirrored ones below zero, stacked ones each on top of those before it. Hidden lines add nothing. */
export function drawnColumns(lines: readonly Line[], stacked: boolean, isHidden: (key: string) => boolean): Column[] {
    const above: number[] = [];
    const below: number[] = [];
    return lines.map((line) => {
        const signed = line.mirrored ? line.values.map((v) => (v === null ? null : -v)) : line.values;
        if (!stacked || line.dashed || isHidden(line.key)) return signed;
        const base = line.mirrored ? below : above;
        return signed.map((v, i) => {
            if (v === null) return null;
            base[i] = (base[i] ?? 0) + v;
            return base[i];
        });
    });
}

export interface Summary {
    last: number | null;
    min: number | null;
    mean: number | null;
    max: number | null;
}

export function summarise(values: Column): Summary {
    const present = values.filter((v): v is number => v !== null);
    if (present.length === 0) return { last: null, min: null, mean: null, max: null };
    return {
        last: present[present.length - 1],
        min: present.reduce((a, b) => Math.min(a, b)),
        mean: present.reduce((a, b) => a + b, 0) / present.length,
        max: present.reduce((a, b) => Math.max(a, b)),
    };
}
