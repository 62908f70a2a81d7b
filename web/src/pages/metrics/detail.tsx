// SPDX-License-Identifier: Apache-2.0
//
// One metric: what it is, how it moved, which labels its series have, what to ask of it.

import { labelNames, labelValues, queryInstant } from '../../api/client.ts';
import { scrapeInterval, defaultScrapeInterval } from '../../api/scrape-interval.ts';
import { useResource } from '../../api/resource.ts';
import { Panel, type PanelContext } from '../../chart/panel.tsx';
import type { PanelDef } from '../../chart/panel-def.ts';
import { currentSpan, range } from '../../time/state.ts';
import { Button } from '../../ui/button.tsx';
import { copy } from '../../ui/copy.ts';
import { Icon } from '../../ui/icon.tsx';
import { ErrorBox, Loading } from '../../ui/states.tsx';
import { queryUnit } from '../../units/guess.ts';
import { hrefTo } from '../../url-state/location.ts';
import { suggestions, type Metric } from './catalog.ts';
import { TypeMark } from './metrics.tsx';

const unitNames: Record<string, string> = {
    bytes: 'bytes', s: 'seconds', ms: 'milliseconds', percentunit: 'share, 1 is all', percent: 'percent', celsius: 'degrees Celsius', hertz: 'hertz',
};

const queryHref = (expr: string) =>
    hrefTo('query', (p) => {
        p.set('g0.expr', expr);
        p.set('g0.tab', '0');
    });

export function Detail({ metric, onClose }: { metric: Metric; onClose: () => void }) {
    const interval = useResource('interval', 0, (s) => scrapeInterval(s), true);
    const context: PanelContext = {
        variables: {},
        span: currentSpan(),
        scrapeInterval: interval.data ?? defaultScrapeInterval,
        young: false,
    };
    return (
        <section class="metric" aria-label={metric.name}>
            <header class="metric-head">
                <h2 class="mono">{metric.name}</h2>
                <Button kind="plain" icon="copy" label="Copy the name" onClick={() => copy(metric.name, 'Name')} />
                <Button kind="plain" icon="close" label="Back to the list" class="narrow-only" onClick={onClose} />
            </header>
            <p class="metric-facts">
                <TypeMark type={metric.type} />
                {metric.unit in unitNames && <span>{unitNames[metric.unit]}</span>}
                <SeriesCount metric={metric} />
            </p>
            {metric.help !== '' && <p class="metric-text">{metric.help}</p>}
            <Panel def={shapeOf(metric)} context={context} />
            <h3>Ask</h3>
            <ul class="metric-asks">
                {suggestions(metric).map((s) => (
                    <li key={s.title}>
                        <a href={queryHref(s.expr)}>
                            <span>{s.title}</span>
                            <code>{s.expr}</code>
                            <Icon name="query" size={16} />
                        </a>
                    </li>
                ))}
            </ul>
            <Labels metric={metric} />
        </section>
    );
}

/** Whatever the number of series, a line or three. */
function shapeOf(metric: Metric): PanelDef {
    const [first, ...more] = suggestions(metric);
    const spread = metric.type === 'gauge' || metric.type === 'unknown' ? more.slice(0, 2) : [];
    const counts = metric.type === 'info';
    const queries = counts ? [more[0]] : [first, ...spread];
    return {
        id: 'metric',
        title: queries.map((q) => q.title).join(', '),
        help: 'All series of this metric together',
        unit: queryUnit(queries[0].expr),
        queries: queries.map((q) => ({ expr: q.expr, legend: q.title.toLowerCase() })),
    };
}

function SeriesCount({ metric }: { metric: Metric }) {
    const { from, to } = range.value;
    const { data } = useResource(`count ${metric.name} ${from} ${to}`, 0, async (signal) => {
        const { data: answer } = await queryInstant(`count({__name__=~"${metric.names.join('|')}"})`, currentSpan().to, signal);
        return answer.resultType === 'vector' ? Number(answer.result[0]?.value?.[1] ?? 0) : 0;
    });
    if (data === undefined) return null;
    return <span>{data === 0 ? 'no series now' : `${data.toLocaleString('en')} series now`}</span>;
}

interface LabelInfo {
    name: string;
    values: string[];
    more: boolean;
}

const labelsMax = 20;
const valuesMax = 100;
const valuesShown = 8;

async function loadLabels(metric: Metric, signal: AbortSignal): Promise<LabelInfo[]> {
    const match = metric.names.map((n) => `{__name__=${JSON.stringify(n)}}`);
    const span = currentSpan();
    const names = (await labelNames(match, signal, span)).data.filter((n) => n !== '__name__').slice(0, labelsMax);
    return Promise.all(
        names.map(async (name) => {
            const { data } = await labelValues(name, match, signal, { ...span, limit: valuesMax + 1 });
            return { name, values: data.slice(0, valuesMax), more: data.length > valuesMax };
        }),
    );
}

function Labels({ metric }: { metric: Metric }) {
    const { from, to } = range.value;
    const { data, error } = useResource(`labels ${metric.name} ${from} ${to}`, 0, (s) => loadLabels(metric, s));
    if (error !== undefined) return <ErrorBox error={error} />;
    if (data === undefined) return <Loading text="" />;
    if (data.length === 0) return null;
    return (
        <>
            <h3>Labels</h3>
            <ul class="metric-labels">
                {data.map((label) => (
                    <li key={label.name}>
                        <span class="mono metric-label">{label.name}</span>
                        <span class="dim number">
                            {label.values.length}
                            {label.more && '+'}
                        </span>
                        <Values metric={metric} label={label} />
                    </li>
                ))}
            </ul>
        </>
    );
}

/** A value leads to the metric's first question about that value alone. */
function Values({ metric, label }: { metric: Metric; label: LabelInfo }) {
    const rest = label.values.length - valuesShown;
    return (
        <ul class="labels">
            {label.values.slice(0, valuesShown).map((value) => (
                <li key={value} class="label">
                    <a href={queryHref(suggestions(metric, `{${label.name}=${JSON.stringify(value)}}`)[0].expr)}>{value === '' ? '(empty)' : value}</a>
                </li>
            ))}
            {rest > 0 && (
                <li class="label dim">
                    {rest}
                    {label.more && '+'} more
                </li>
            )}
        </ul>
    );
}
