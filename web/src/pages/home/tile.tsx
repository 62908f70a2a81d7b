// SPDX-License-Identifier: Apache-2.0

import { queryRange } from '../../api/client.ts';
import { useResource } from '../../api/resource.ts';
import { windowMin, type PanelContext } from '../../chart/panel.tsx';
import { interpolate } from '../../chart/panel-def.ts';
import { lastValue, type Column } from '../../chart/frame.ts';
import { formatDuration } from '../../time/duration.ts';
import { alignSpan, chooseStep, rateWindow } from '../../time/step.ts';
import { tick } from '../../time/state.ts';
import { roundedParts } from '../../units/units.ts';
import { hrefTo } from '../../url-state/location.ts';
import type { TileDef } from './panels.ts';

const points = 60;

/** A number that matters, with the shape of its recent past behind it. */
export function Tile({ def, context }: { def: TileDef; context: PanelContext }) {
    const width = context.span.to - context.span.from;
    const step = chooseStep(width, points, context.scrapeInterval);
    const window = formatDuration(Math.max(windowMin, rateWindow(context.scrapeInterval, context.scrapeInterval)));
    const expr = interpolate(def.expr, { ...context.variables, window });
    const { data } = useResource(
        `tile ${width} ${expr}`,
        tick.value,
        async (signal) => {
            const span = alignSpan(context.span, step);
            const answer = await queryRange(expr, span.from, span.to, step, signal);
            const values = answer.data.resultType === 'matrix' ? (answer.data.result[0]?.values ?? []) : [];
            return values.map(([, v]) => Number(v));
        },
        true,
    );
    const value = data === undefined ? null : lastValue(data);
    const parts = value === null ? { text: '–', suffix: '' } : roundedParts(def.unit, value);
    const level = value === null ? '' : value >= (def.bad ?? Infinity) ? 'bad' : value >= (def.warn ?? Infinity) ? 'warn' : '';
    const href = hrefTo('query', (p) => {
        p.set('g0.expr', expr);
        p.set('g0.tab', '0');
    });
    return (
        <a class={`tile ${level === '' ? '' : `tile-${level}`}`} href={href} data-tile={def.id}>
            <span class="tile-title">{def.title}</span>
            <span class="tile-value">
                {parts.text}
                <span class="tile-unit">{parts.suffix}</span>
                {level !== '' && <span class="visually-hidden">{level === 'bad' ? 'critical' : 'high'}</span>}
            </span>
            <Sparkline values={data ?? []} top={def.share === true ? 1 : undefined} />
        </a>
    );
}

/** From zero to `top`, or to a little above the highest value. */
function Sparkline({ values, top }: { values: Column; top: number | undefined }) {
    if (values.length < 2) return <svg class="sparkline" viewBox="0 0 100 24" aria-hidden="true" />;
    const highest = top ?? Math.max(...values.map((v) => v ?? 0)) * 1.15;
    const x = (i: number) => ((i / (values.length - 1)) * 100).toFixed(2);
    const y = (v: number | null) => (23 - Math.min(1, (v ?? 0) / (highest || 1)) * 22).toFixed(2);
    const line = values.map((v, i) => `${x(i)},${y(v)}`).join(' L');
    return (
        <svg class="sparkline" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
            <path class="sparkline-area" d={`M0,24 L${line} L100,24 Z`} />
            <path class="sparkline-line" d={`M${line}`} vector-effect="non-scaling-stroke" />
        </svg>
    );
}
