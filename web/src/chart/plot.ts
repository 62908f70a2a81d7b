// SPDX-License-Identifier: Apache-2.0
//
// The drawing half of a chart: uPlot on a canvas, told what to draw. Loaded on its own, after the shell is
// on screen. It knows nothing of queries or components; chart.tsx owns it.

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { axisLabels, type Zone } from '../time/format.ts';
import { formatRounded, isBinaryUnit } from '../units/units.ts';
import { drawnColumns, type Frame, type Line } from './frame.ts';
import { cssColour, lineStyle } from './palette.ts';

export interface PlotOptions {
    unit: string;
    zone: Zone;
    stacked: boolean;
    min?: number;
    max?: number;
    height: number;
    /** Charts with the same key share their crosshair. */
    syncKey: string;
}

export interface Hover {
    index: number;
    /** Pixels inside the plot's box. */
    left: number;
    top: number;
    width: number;
    /** Line under the pointer, by its position in the frame. */
    nearest: number | null;
}

export interface PlotEvents {
    onHover: (hover: Hover | null) => void;
    onZoom: (from: number, to: number) => void;
    onZoomOut: () => void;
}

export interface Plot {
    draw: (frame: Frame, span: { from: number; to: number }, hidden: ReadonlySet<string>) => void;
    resize: (width: number) => void;
    destroy: () => void;
}

const font = '11px system-ui, sans-serif';

/** Whole powers of two times 1, 2, 4, ... so that axis lines of byte counts fall on round numbers. */
const binarySteps = Array.from({ length: 60 }, (_, i) => 2 ** i);

function alpha(colour: string, share: number): string {
    return colour + Math.round(share * 255).toString(16).padStart(2, '0');
}

/** What is `mirrored` below zero is not negative, only drawn the other way. */
function axisNumber(unit: string, values: readonly number[], mirrored: boolean): string[] {
    const sizes = mirrored ? values.map((v) => Math.abs(v)) : values;
    const texts = sizes.map((v) => formatRounded(unit, v).replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, ''));
    // Lines closer than three digits can tell apart would read the same: print them in full instead.
    return new Set(texts).size === new Set(sizes).size ? texts : values.map((v) => String(Number(v.toPrecision(6))));
}

function valueAxis(unit: string, mirrored: boolean): uPlot.Axis {
    const axis: uPlot.Axis = {
        stroke: cssColour('--text-3'),
        font,
        grid: { stroke: cssColour('--grid'), width: 1 },
        ticks: { show: false },
        gap: 6,
        space: 34,
        size: (u, values) => {
            const widest = (values ?? []).reduce((a, b) => (b.length > a.length ? b : a), '');
            u.ctx.font = font;
            // A common width for most labels, so that the time axes of neighbouring charts line up.
            return Math.max(62, Math.ceil(u.ctx.measureText(widest).width) + 14);
        },
        values: (_, splits) => axisNumber(unit, splits, mirrored),
    };
    if (isBinaryUnit(unit)) axis.incrs = binarySteps;
    return axis;
}

function timeAxis(zone: Zone): uPlot.Axis {
    return {
        stroke: cssColour('--text-3'),
        font,
        grid: { stroke: cssColour('--grid'), width: 1 },
        ticks: { show: false },
        gap: 6,
        size: 30,
        space: 62,
        values: (_, splits, __, ___, increment) => axisLabels(splits.map((s) => s * 1000), increment * 1000, zone),
    };
}

/** Few points are drawn as dots, or a chart that has just begun would look empty. */
function showPoints(u: uPlot, series: number): boolean {
    const present = [...(u.data[series] ?? [])].filter((v) => v !== null && v !== undefined).length;
    return present > 0 && present <= 3;
}

function seriesOptions(line: Line, index: number, stacked: boolean, lines: number): uPlot.Series {
    const { hue, dash } = lineStyle(index);
    const colour = cssColour(line.dashed ? '--text-3' : `--series-${hue}`);
    // Areas over one another turn to mud: without a stack only a line alone is filled.
    const filled = !line.dashed && (stacked || lines === 1);
    return {
        label: line.name,
        stroke: colour,
        width: line.dashed ? 1.25 : stacked ? 1 : 1.5,
        dash: line.dashed ? [5, 4] : [...dash],
        // A stacked area is filled between its neighbours by a band; only the lowest is filled to zero here.
        ...(filled && { fill: alpha(colour, stacked ? 0.5 : 0.09) }),
        points: { show: showPoints, size: 5, fill: colour },
    };
}

/**
 * The order of drawing. A stack is painted from its top down, or an area of no height would hide the edge of
 * the one below it behind its own.
 */
function paintOrder(lines: readonly Line[], stacked: boolean): number[] {
    const order = lines.map((_, i) => i);
    return stacked ? order.reverse() : order;
}

/** Each stacked area reaches down to the visible one before it. */
function stackBands(lines: readonly Line[], order: readonly number[], hidden: ReadonlySet<string>): uPlot.Band[] {
    const bands: uPlot.Band[] = [];
    const under = new Map<boolean, number>();
    lines.forEach((line, i) => {
        if (line.dashed || hidden.has(line.key)) return;
        const below = under.get(line.mirrored);
        if (below !== undefined) bands.push({ series: [order.indexOf(i) + 1, order.indexOf(below) + 1], dir: line.mirrored ? 1 : -1 });
        under.set(line.mirrored, i);
    });
    return bands;
}

function valueRange(options: PlotOptions) {
    return (_: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax => {
        if (low === null || high === null) return [options.min ?? 0, options.max ?? 1];
        const bottom = options.min ?? Math.min(low, 0);
        const top = high <= bottom ? bottom + 1 : high + (high - bottom) * 0.08;
        const spare = low < 0 ? (high - low) * 0.08 : 0;
        return [Math.min(bottom, low - spare), Math.max(top, options.max ?? -Infinity)];
    };
}

function nearestLine(u: uPlot, order: readonly number[], index: number, top: number): number | null {
    let best: number | null = null;
    let distance = Infinity;
    for (let i = 1; i < u.data.length; i++) {
        const value = u.data[i][index];
        if (u.series[i].show === false || value === null || value === undefined) continue;
        const away = Math.abs(u.valToPos(value, 'y') - top);
        if (away < distance) [best, distance] = [order[i - 1], away];
    }
    return best;
}

export function createPlot(host: HTMLElement, width: number, options: PlotOptions, events: PlotEvents): Plot {
    let plot: uPlot | null = null;
    let shape = '';
    let order: number[] = [];
    let currentWidth = width;

    const setCursor = (u: uPlot) => {
        const { idx, left = -1, top = -1 } = u.cursor;
        // A synced crosshair from another chart has no pointer over this one: no tooltip then.
        const mine = u.over.matches(':hover');
        if (!mine || left < 0 || idx === null || idx === undefined) return events.onHover(null);
        const box = u.over;
        events.onHover({ index: idx, left: left + box.offsetLeft, top: top + box.offsetTop, width: u.width, nearest: nearestLine(u, order, idx, top) });
    };

    const setSelect = (u: uPlot) => {
        const { left, width: dragged } = u.select;
        if (dragged < 4) return;
        events.onZoom(u.posToVal(left, 'x') * 1000, u.posToVal(left + dragged, 'x') * 1000);
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    };

    const build = (frame: Frame, hidden: ReadonlySet<string>) =>
        new uPlot(
            {
                width: currentWidth,
                height: options.height,
                padding: [8, 16, 0, 0],
                legend: { show: false },
                cursor: {
                    sync: { key: options.syncKey, setSeries: false },
                    drag: { x: true, y: false, setScale: false },
                    points: { size: 6 },
                    y: false,
                    bind: { dblclick: () => () => (events.onZoomOut(), null) },
                },
                scales: { x: { time: true }, y: { range: valueRange(options) } },
                axes: [timeAxis(options.zone), valueAxis(options.unit, frame.lines.some((l) => l.mirrored))],
                series: [{}, ...order.map((i) => ({
                    ...seriesOptions(frame.lines[i], i, options.stacked, frame.lines.filter((l) => !l.dashed).length),
                    show: !hidden.has(frame.lines[i].key),
                }))],
                bands: options.stacked ? stackBands(frame.lines, order, hidden) : [],
                hooks: { setCursor: [setCursor], setSelect: [setSelect] },
            },
            [[]] as unknown as uPlot.AlignedData,
            host,
        );

    return {
        draw(frame, span, hidden) {
            const wanted = frame.lines.map((l) => (hidden.has(l.key) ? '-' : '+') + l.key).join('\n');
            if (plot === null || wanted !== shape) {
                plot?.destroy();
                order = paintOrder(frame.lines, options.stacked);
                plot = build(frame, hidden);
                shape = wanted;
            }
            const columns = drawnColumns(frame.lines, options.stacked, (key) => hidden.has(key));
            plot.batch(() => {
                plot?.setData([frame.times, ...order.map((i) => columns[i])] as uPlot.AlignedData, false);
                plot?.setScale('x', { min: span.from / 1000, max: span.to / 1000 });
            });
        },
        resize(next) {
            currentWidth = next;
            plot?.setSize({ width: next, height: options.height });
        },
        destroy() {
            plot?.destroy();
            plot = null;
        },
    };
}
