// SPDX-License-Identifier: Apache-2.0
//
// A titled card that runs a panel's queries and shows the answer. It asks only while it is near the visible
// part of the page, and the title leads to the same queries on the query page.

import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { queryInstant, queryRange } from '../api/client.ts';
import { useResource } from '../api/resource.ts';
import type { QueryData, VectorEntry } from '../api/types.ts';
import { formatDuration } from '../time/duration.ts';
import type { Span } from '../time/range.ts';
import { alignSpan, chooseStep, rateWindow } from '../time/step.ts';
import { tick } from '../time/state.ts';
import { formatRounded } from '../units/units.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { Empty, ErrorBox, Loading } from '../ui/states.tsx';
import { hrefTo } from '../url-state/location.ts';
import { Chart } from './chart.tsx';
import { buildFrame, type Frame } from './frame.ts';
import { fillTemplate } from './legend.ts';
import { interpolate, type PanelDef, type Variables } from './panel-def.ts';

export interface PanelContext {
    variables: Variables;
    span: Span;
    /** Milliseconds between samples. */
    scrapeInterval: number;
    /** True while the server has watched too briefly for every panel to have points. */
    young: boolean;
}

const plotHeight = 168;

/** A minute rides over a restart, and over data that came less often than it does now. */
export const windowMin = 60_000;

/** Widths are taken in steps, or dragging a window edge would send a query for each pixel. */
const widthStep = 80;

function useBox() {
    const ref = useRef<HTMLElement>(null);
    const [width, setWidth] = useState(0);
    const [near, setNear] = useState(false);
    useEffect(() => {
        const element = ref.current;
        if (element === null) return undefined;
        const size = new ResizeObserver(() => setWidth(Math.max(1, Math.round(element.clientWidth / widthStep)) * widthStep));
        const view = new IntersectionObserver(([entry]) => setNear(entry.isIntersecting), { rootMargin: '300px' });
        size.observe(element);
        view.observe(element);
        return () => {
            size.disconnect();
            view.disconnect();
        };
    }, []);
    return { ref, width, near };
}

export function Panel({ def, context }: { def: PanelDef; context: PanelContext }) {
    const { ref, width, near } = useBox();
    const [view, setView] = useState<'chart' | 'table'>('chart');
    const ready = near && width > 0;
    const step = chooseStep(context.span.to - context.span.from, Math.max(width, 1), context.scrapeInterval);
    const window = formatDuration(Math.max(windowMin, rateWindow(step, context.scrapeInterval)));
    const exprs = def.queries.map((q) => interpolate(q.expr, { ...context.variables, window }));
    const Body = def.kind === 'bars' ? Bars : Lines;
    return (
        <section class="panel" ref={ref} data-panel={def.id} aria-label={def.title}>
            <header class="panel-head">
                <h3 class="panel-title">
                    <a href={queryHref(exprs, def.stacked === true)} title={def.help}>
                        {def.title}
                        <Icon name="query" size={14} />
                    </a>
                </h3>
                {def.kind !== 'bars' && (
                    <Button
                        kind="plain"
                        icon={view === 'chart' ? 'table' : 'chart'}
                        label={view === 'chart' ? `${def.title}: show as table` : `${def.title}: show as chart`}
                        onClick={() => setView(view === 'chart' ? 'table' : 'chart')}
                    />
                )}
            </header>
            <Body {...{ def, exprs, context, step, ready, view }} />
        </section>
    );
}

function queryHref(exprs: readonly string[], stacked: boolean): string {
    return hrefTo('query', (p) =>
        exprs.forEach((expr, i) => {
            p.set(`g${i}.expr`, expr);
            p.set(`g${i}.tab`, '0');
            if (stacked) p.set(`g${i}.display_mode`, 'stacked');
        }),
    );
}

interface BodyProps {
    def: PanelDef;
    exprs: readonly string[];
    context: PanelContext;
    step: number;
    ready: boolean;
    view: 'chart' | 'table';
}

function Lines({ def, exprs, context, step, ready, view }: BodyProps) {
    const span = alignSpan(context.span, step);
    const width = context.span.to - context.span.from;
    const key = ready ? `range ${step} ${width} ${exprs.join('\n')}` : null;
    const load = async (signal: AbortSignal) => {
        const answers = await Promise.all(exprs.map((expr) => queryRange(expr, span.from, span.to, step, signal)));
        return { frame: frameOf(def, answers.map((a) => a.data), step), span: context.span };
    };
    const { data, error } = useResource(key, tick.value, load, true);
    const shown = useKept(data);
    if (error !== undefined && shown === undefined) return <Body><ErrorBox error={error} /></Body>;
    if (shown === undefined) return <Body><Loading text="" /></Body>;
    if (shown.frame.lines.length === 0) return <Body><Nothing def={def} young={context.young} /></Body>;
    return (
        <Chart
            title={def.title}
            frame={shown.frame}
            span={shown.span}
            unit={def.unit}
            stacked={def.stacked ?? false}
            {...(def.min !== undefined && { min: def.min })}
            {...(def.max !== undefined && { max: def.max })}
            height={plotHeight}
            view={view}
        />
    );
}

/** A panel that scrolls out of sight stops asking but keeps its picture. */
function useKept<T>(value: T | undefined): T | undefined {
    const kept = useRef<T | undefined>(undefined);
    if (value !== undefined) kept.current = value;
    return kept.current;
}

function frameOf(def: PanelDef, answers: readonly QueryData[], step: number): Frame {
    const parts = answers.map((data, i) => {
        const { expr: _, ...shape } = def.queries[i];
        return { ...shape, matrix: data.resultType === 'matrix' ? data.result : [] };
    });
    const frame = buildFrame(parts, step / 1000);
    const { order } = def;
    if (order === undefined) return frame;
    const rank = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
    return { ...frame, lines: [...frame.lines].sort((a, b) => rank(a.name) - rank(b.name)) };
}

function Body({ children }: { children: ComponentChildren }) {
    return <div class="panel-body" style={{ minHeight: `${plotHeight}px` }}>{children}</div>;
}

function Nothing({ def, young }: { def: PanelDef; young: boolean }) {
    if (young) return <Loading text="Collecting… first points in a few seconds" />;
    const metrics = [...new Set(def.queries.flatMap((q) => q.expr.match(/\b(?:node|process|nunchi|scrape)_\w+|\bup\b/g) ?? []))];
    return <Empty title="No data in this time range">{metrics.length > 0 && <>Nothing was stored for {metrics.join(', ')}.</>}</Empty>;
}

interface Bar {
    name: string;
    share: number;
    free: number | undefined;
    whole: number | undefined;
}

const barsMax = 12;

function Bars({ def, exprs, context, ready }: BodyProps) {
    const key = ready ? `bars ${context.span.to - context.span.from} ${exprs.join('\n')}` : null;
    const load = async (signal: AbortSignal) => {
        const answers = await Promise.all(exprs.map((expr) => queryInstant(expr, context.span.to, signal)));
        return answers.map((a) => (a.data.resultType === 'vector' ? a.data.result : []));
    };
    const { data, error } = useResource(key, tick.value, load, true);
    const shown = useKept(data);
    const bars = useMemo(() => (shown === undefined ? [] : barsOf(def, shown)), [shown]);
    if (error !== undefined && shown === undefined) return <Body><ErrorBox error={error} /></Body>;
    if (shown === undefined) return <Body><Loading text="" /></Body>;
    if (bars.length === 0) return <Body><Nothing def={def} young={context.young} /></Body>;
    return (
        <ul class="bars" tabIndex={0} aria-label={def.title}>
            {bars.slice(0, barsMax).map((bar) => (
                <li key={bar.name} class="bar-row">
                    <span class="bar-name">{bar.name}</span>
                    <span class="bar-detail">
                        {bar.free !== undefined && bar.whole !== undefined && `${formatRounded('bytes', bar.free)} free of ${formatRounded('bytes', bar.whole)}`}
                    </span>
                    <span class="number bar-value">{formatRounded(def.unit, bar.share)}</span>
                    <meter class="bar" min={0} max={1} high={0.8} low={0.8} optimum={0} value={bar.share} aria-label={`${bar.name} used`} />
                </li>
            ))}
            {bars.length > barsMax && <li class="dim">{bars.length - barsMax} more, less full</li>}
        </ul>
    );
}

function barsOf(def: PanelDef, vectors: readonly VectorEntry[][]): Bar[] {
    const named = (index: number) => {
        const legend = def.queries[index]?.legend ?? '';
        return new Map((vectors[index] ?? []).map((e) => [fillTemplate(legend, e.metric), Number(e.value?.[1])]));
    };
    const [share, free, whole] = [named(0), named(1), named(2)];
    return [...share]
        .map(([name, value]) => ({ name, share: value, free: free.get(name), whole: whole.get(name) }))
        .filter((bar) => Number.isFinite(bar.share))
        .sort((a, b) => b.share - a.share);
}
