// SPDX-License-Identifier: Apache-2.0
//
// What there is to ask about: every metric with its type, unit and help, and for the chosen one its shape, its
// labels and the questions that suit its type.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { labelValues, metadata } from '../../api/client.ts';
import { useResource } from '../../api/resource.ts';
import { usePageTitle } from '../../app/page-title.ts';
import { currentSpan, range, refreshNow } from '../../time/state.ts';
import { SearchField } from '../../ui/search-field.tsx';
import { Empty, ErrorBox, Loading } from '../../ui/states.tsx';
import { rowId, stepOf, VirtualList } from '../../ui/virtual-list.tsx';
import { params, updateParams } from '../../url-state/location.ts';
import { catalog, countTypes, search, types, type Metric, type MetricType } from './catalog.ts';
import { Detail } from './detail.tsx';
import './metrics.css';

const listId = 'metric-list';
const rowHeight = 46;

async function load(signal: AbortSignal): Promise<Metric[]> {
    const [names, meta] = await Promise.all([labelValues('__name__', [], signal, currentSpan()), metadata(signal)]);
    return catalog(names.data, meta.data);
}

export default function Metrics() {
    usePageTitle('Metrics');
    const { from, to } = range.value;
    // Names come and go slowly: they are asked for again when the range changes, not with every refresh.
    const { data, error } = useResource(`metrics ${from} ${to}`, 0, load, true);
    const [text, setText] = useState(params.value.get('search') ?? '');
    const type = types.find((t) => t === params.value.get('type')) ?? null;
    const chosen = params.value.get('metric');
    const found = useMemo(() => search(data ?? [], text, type), [data, text, type]);
    const [active, setActive] = useState(-1);
    useEffect(() => setActive(found.findIndex((m) => m.name === chosen)), [found, chosen]);

    const change = (name: string, value: string) => updateParams((p) => (value === '' ? p.delete(name) : p.set(name, value)), true);
    const choose = (index: number) => {
        setActive(index);
        change('metric', found[index]?.name ?? '');
    };
    const onKey = (event: KeyboardEvent) => {
        const next = stepOf(event.key, active, found.length);
        if (next === null) return;
        event.preventDefault();
        choose(next);
    };
    const metric = (data ?? []).find((m) => m.name === chosen);
    if (error !== undefined && data === undefined) {
        return (
            <main class="page">
                <ErrorBox error={error} onRetry={refreshNow} />
            </main>
        );
    }
    return (
        <main class={`page metrics ${metric === undefined ? '' : 'has-metric'}`}>
            <section class="metrics-side" aria-label="All metrics">
                <div class="metrics-find">
                    <h1>Metrics</h1>
                    <SearchField
                        label="Search metrics"
                        hint="Name or help  ( / )"
                        value={text}
                        onInput={(next) => {
                            setText(next);
                            change('search', next);
                        }}
                        list={{ id: listId, active: active >= 0 ? rowId(listId, active) : undefined, onKeyDown: onKey }}
                    />
                    <TypeFilter all={data ?? []} chosen={type} onChoose={(t) => change('type', t ?? '')} />
                    <p class="dim metrics-count" role="status">
                        {data !== undefined && `${found.length.toLocaleString('en')} of ${data.length.toLocaleString('en')} metrics in this time range`}
                    </p>
                </div>
                {data === undefined ? (
                    <Loading text="" />
                ) : found.length === 0 ? (
                    <Empty title={data.length === 0 ? 'Nothing was stored in this time range' : 'No metric has these words'}>Widen the time range or change the search.</Empty>
                ) : (
                    <VirtualList
                        id={listId}
                        label="Metrics"
                        count={found.length}
                        rowHeight={rowHeight}
                        active={active}
                        onChoose={choose}
                        row={(i) => <Row metric={found[i]} />}
                    />
                )}
            </section>
            {metric !== undefined ? (
                <Detail key={metric.name} metric={metric} onClose={() => change('metric', '')} />
            ) : (
                <section class="metrics-none" aria-label="Chosen metric">
                    <Empty title={chosen === null || data === undefined ? 'Choose a metric' : `${chosen} has no samples in this time range`}>
                        The arrow keys move through the list while you search.
                    </Empty>
                </section>
            )}
        </main>
    );
}

function Row({ metric }: { metric: Metric }) {
    return (
        <>
            <span class="metric-name mono">{metric.name}</span>
            <TypeMark type={metric.type} />
            <span class="metric-help">{metric.help}</span>
        </>
    );
}

export function TypeMark({ type }: { type: MetricType }) {
    return <span class={`type type-${type}`}>{type}</span>;
}

function TypeFilter({ all, chosen, onChoose }: { all: readonly Metric[]; chosen: MetricType | null; onChoose: (type: MetricType | null) => void }) {
    const counts = useMemo(() => countTypes(all), [all]);
    return (
        <div class="metrics-types" role="group" aria-label="Show only">
            {types
                .filter((t) => counts[t] > 0 || t === chosen)
                .map((t) => (
                    <button key={t} type="button" class="chip" aria-pressed={t === chosen} onClick={() => onChoose(t === chosen ? null : t)}>
                        {t} <span class="dim">{counts[t].toLocaleString('en')}</span>
                    </button>
                ))}
        </div>
    );
}
