// SPDX-License-Identifier: Apache-2.0
//
// From range answers to what a chart draws: one shared time axis, one column a series. Pure, so that the
// arithmetic is tested without a browser.

import { pointsOf, type Points } from '../api/points.ts';
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
    const series = parts.flatMap((part, i) => named(part, i));
    // Columns are made for what is drawn only: a careless query may answer with ten thousand series.
    const kept = series.length <= linesMax ? series : strongest(series);
    const { first, last } = extent(kept);
    if (first > last) return emptyFrame;
    const count = Math.round((last - first) / stepSeconds) + 1;
    return {
        times: Array.from({ length: count }, (_, i) => first + i * stepSeconds),
        lines: kept.map(({ points, ...line }) => ({ ...line, values: columnOf(points, first, stepSeconds, count) })),
        dropped: series.length - kept.length,
    };
}

interface Series extends Omit<Line, 'values'> {
    points: Points;
}

function named(part: Part, index: number): Series[] {
    const present = part.matrix.filter((m) => pointsOf(m).length > 0);
    const automatic = part.legend === undefined ? shortNames(present.map((m) => m.metric)) : [];
    return present.map((m, i) => ({
        key: `${index} ${seriesName(m.metric)}`,
        name: part.legend === undefined ? automatic[i] : fillTemplate(part.legend, m.metric),
        labels: m.metric,
        mirrored: part.mirrored ?? false,
        dashed: part.dashed ?? false,
        points: pointsOf(m),
    }));
}

/** Samples of a series come in the order of their times. */
function extent(series: readonly Series[]): { first: number; last: number } {
    let [first, last] = [Infinity, -Infinity];
    for (const { points } of series) {
        first = Math.min(first, points.time(0));
        last = Math.max(last, points.time(points.length - 1));
    }
    return { first, last };
}

function columnOf(points: Points, first: number, step: number, count: number): Column {
    const values: Column = new Array<number | null>(count).fill(null);
    for (let i = 0; i < points.length; i++) {
        const value = points.value(i);
        values[Math.round((points.time(i) - first) / step)] = Number.isFinite(value) ? value : null;
    }
    return values;
}

export function lastValue(values: Column): number | null {
    for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null) return values[i];
    return null;
}

/** By the size of the last sample; a series that ends in NaN or infinity counts as small. */
function strongest(series: readonly Series[]): Series[] {
    const sizes = new Map(series.map((s) => [s, Math.abs(s.points.value(s.points.length - 1))]));
    const size = (s: Series) => (Number.isFinite(sizes.get(s)) ? (sizes.get(s) ?? 0) : 0);
    const limit = series.map(size).sort((a, b) => b - a)[linesMax - 1];
    return series.filter((s) => size(s) >= limit).slice(0, linesMax);
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
