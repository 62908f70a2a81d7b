// SPDX-License-Identifier: Apache-2.0
//
// A chart with its legend, tooltip and table. The canvas is one picture to a screen reader: it gets a sentence,
// and the same numbers are one switch away as a table.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { scheme } from '../app/theme.ts';
import { formatInstant } from '../time/format.ts';
import type { Span } from '../time/range.ts';
import { setSpan, zone, zoomOutNow } from '../time/state.ts';
import { formatRounded, formatValue } from '../units/units.ts';
import { lastValue, summarise, type Frame, type Line } from './frame.ts';
import { lineStyle } from './palette.ts';
import type { Hover, Plot } from './plot.ts';

export interface ChartProps {
    title: string;
    frame: Frame;
    span: Span;
    unit: string;
    stacked?: boolean;
    min?: number;
    max?: number;
    height: number;
    view?: 'chart' | 'table';
    /** Names only, with the last value; or one line a series for long lists. */
    legend?: 'inline' | 'list';
}

const drawing = () => import('./plot.ts');

export function Chart({ title, frame, span, unit, stacked = false, min, max, height, view = 'chart', legend = 'inline' }: ChartProps) {
    const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
    if (view === 'table') return <ChartTable title={title} frame={frame} unit={unit} />;
    return (
        <figure class="chart">
            <Canvas {...{ title, frame, span, unit, stacked, min, max, height, hidden }} />
            <Legend frame={frame} unit={unit} hidden={hidden} onChange={setHidden} shape={legend} />
        </figure>
    );
}

type CanvasProps = Required<Pick<ChartProps, 'title' | 'frame' | 'span' | 'unit' | 'stacked' | 'height'>> &
    Pick<ChartProps, 'min' | 'max'> & { hidden: ReadonlySet<string> };

function Canvas({ title, frame, span, unit, stacked, min, max, height, hidden }: CanvasProps) {
    const host = useRef<HTMLDivElement>(null);
    const plot = useRef<Plot | null>(null);
    const latest = useRef({ frame, span, hidden });
    latest.current = { frame, span, hidden };
    const [hover, setHover] = useState<Hover | null>(null);

    useEffect(() => {
        const element = host.current;
        if (element === null) return undefined;
        let live = true;
        const observer = new ResizeObserver(() => plot.current?.resize(element.clientWidth));
        void drawing().then(({ createPlot }) => {
            if (!live) return;
            const options = { unit, zone: zone.value, stacked, min, max, height, syncKey: 'page' };
            plot.current = createPlot(element, element.clientWidth, options, {
                onHover: setHover,
                onZoom: (from, to) => setSpan({ from: Math.floor(from / 1000) * 1000, to: Math.ceil(to / 1000) * 1000 }),
                onZoomOut: zoomOutNow,
            });
            const now = latest.current;
            plot.current.draw(now.frame, now.span, now.hidden);
            observer.observe(element);
        });
        return () => {
            live = false;
            observer.disconnect();
            plot.current?.destroy();
            plot.current = null;
        };
    }, [unit, stacked, min, max, height, zone.value, scheme.value]);

    useEffect(() => plot.current?.draw(frame, span, hidden), [frame, span, hidden]);

    const label = useMemo(() => describe(title, frame, unit), [title, frame, unit]);
    return (
        <div class="chart-canvas" role="img" aria-label={label} style={{ height: `${height}px` }} onMouseLeave={() => setHover(null)}>
            <div ref={host} />
            {hover !== null && <Tooltip hover={hover} frame={frame} unit={unit} hidden={hidden} />}
        </div>
    );
}

/** Says the shape of the chart in a sentence. */
function describe(title: string, frame: Frame, unit: string): string {
    const spoken = frame.lines.slice(0, 8).map((l) => `${l.name} ${formatRounded(unit, lastValue(l.values))}`);
    const more = frame.lines.length > 8 ? `, and ${frame.lines.length - 8} more` : '';
    return `${title}: line chart of ${frame.lines.length} series. Last values: ${spoken.join(', ')}${more}.`;
}

const tooltipRowsMax = 12;
const tooltipWidthMax = 420;

function Tooltip({ hover, frame, unit, hidden }: { hover: Hover; frame: Frame; unit: string; hidden: ReadonlySet<string> }) {
    const at = frame.times[hover.index];
    if (at === undefined) return null;
    const rows = frame.lines
        .map((line, i) => ({ line, i, value: line.values[hover.index] ?? null }))
        .filter((r) => r.value !== null && !hidden.has(r.line.key))
        .sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
    const shown = rows.slice(0, tooltipRowsMax);
    const nearest = rows.find((r) => r.i === hover.nearest);
    if (nearest !== undefined && !shown.includes(nearest)) shown.push(nearest);
    const width = Math.min(tooltipWidthMax, hover.width - 24);
    const onLeft = hover.left > hover.width / 2;
    const x = onLeft ? hover.left - 12 : hover.left + 12;
    return (
        <div class="tooltip" style={{ transform: `translate(${x}px, ${Math.max(0, hover.top - 20)}px)${onLeft ? ' translateX(-100%)' : ''}`, maxWidth: `${width}px` }}>
            <div class="tooltip-time">{formatInstant(at * 1000, zone.value)}</div>
            {shown.map(({ line, i, value }) => (
                <div key={line.key} class={i === hover.nearest ? 'tooltip-row tooltip-near' : 'tooltip-row'}>
                    <Swatch index={i} line={line} />
                    <span class="tooltip-name">{line.name}</span>
                    <span class="number">{formatRounded(unit, value)}</span>
                </div>
            ))}
            {rows.length > shown.length && <div class="dim">{rows.length - shown.length} more</div>}
        </div>
    );
}

/** A piece of the line itself: hue and dash both. */
export function Swatch({ index, line }: { index: number; line: Line }) {
    const { hue, dash } = lineStyle(index);
    return (
        <svg class={line.dashed ? 'swatch swatch-reference' : `swatch hue-${hue}`} width="14" height="8" viewBox="0 0 14 8" aria-hidden="true">
            <line x1="0" x2="14" y1="4" y2="4" stroke-dasharray={line.dashed ? '4 2' : dash.map((d) => d / 2).join(' ')} />
        </svg>
    );
}

interface LegendProps {
    frame: Frame;
    unit: string;
    hidden: ReadonlySet<string>;
    onChange: (hidden: ReadonlySet<string>) => void;
    shape: 'inline' | 'list';
}

/** Click shows one line alone (again: all), with Ctrl or Command it takes one in or out. */
function Legend({ frame, unit, hidden, onChange, shape }: LegendProps) {
    const toggle = (key: string, single: boolean) => {
        const next = new Set(hidden);
        if (!single) {
            if (!next.delete(key)) next.add(key);
            return onChange(next);
        }
        const others = frame.lines.map((l) => l.key).filter((k) => k !== key);
        const alone = !hidden.has(key) && others.every((k) => hidden.has(k));
        return onChange(new Set(alone ? [] : others));
    };
    if (frame.lines.length === 0) return null;
    return (
        <figcaption>
            {frame.dropped > 0 && (
                <p class="legend-note">
                    The {frame.lines.length} largest of {(frame.lines.length + frame.dropped).toLocaleString('en')} series are drawn; <code>topk</code>, a matcher or <code>sum by</code> narrows the query.
                </p>
            )}
            <div class={`legend legend-${shape}`}>
                {frame.lines.map((line, i) => (
                    <button
                        key={line.key}
                        type="button"
                        class="legend-item"
                        aria-pressed={!hidden.has(line.key)}
                        title={`${line.name}\nClick to show only this one, Ctrl+click to show or hide it`}
                        onClick={(event) => toggle(line.key, !(event.ctrlKey || event.metaKey))}
                    >
                        <Swatch index={i} line={line} />
                        <span class="legend-name">{line.name}</span>
                        <span class="legend-value number">{formatRounded(unit, lastValue(line.values))}</span>
                    </button>
                ))}
            </div>
        </figcaption>
    );
}

function ChartTable({ title, frame, unit }: { title: string; frame: Frame; unit: string }) {
    return (
        <div class="scroll-x chart-table">
            <table class="table">
                <caption class="visually-hidden">{title}</caption>
                <thead>
                    <tr>
                        <th scope="col">Series</th>
                        {['Last', 'Min', 'Mean', 'Max'].map((h) => (
                            <th key={h} scope="col" class="number">
                                {h}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {frame.lines.map((line, i) => {
                        const s = summarise(line.values);
                        return (
                            <tr key={line.key}>
                                <th scope="row">
                                    <Swatch index={i} line={line} /> {line.name}
                                </th>
                                {[s.last, s.min, s.mean, s.max].map((v, column) => (
                                    <td key={column} class="number">
                                        {formatValue(unit, v === null ? null : Number(v.toPrecision(6)))}
                                    </td>
                                ))}
                            </tr>
                        );
                    })}
                </tbody>
            </table>
        </div>
    );
}
