// SPDX-License-Identifier: Apache-2.0

import { useState } from 'preact/hooks';
import type { Histogram, Labels, QueryData, Sample } from '../../api/types.ts';
import { formatInstant } from '../../time/format.ts';
import { zone } from '../../time/state.ts';
import { Button } from '../../ui/button.tsx';
import { Empty } from '../../ui/states.tsx';

/** Rows that are put on the page at a time: tens of thousands at once freeze a browser. */
const pageRows = 500;

interface Row {
    labels: Labels;
    values: { at?: number; text: string }[];
}

function ofHistogram({ count, sum }: Histogram): string {
    return `count ${count}, sum ${sum}`;
}

function rowsOf(data: QueryData): Row[] {
    if (data.resultType === 'vector') {
        return data.result.map((e) => ({ labels: e.metric, values: [{ text: e.histogram !== undefined ? ofHistogram(e.histogram[1]) : (e.value?.[1] ?? '') }] }));
    }
    if (data.resultType === 'matrix') {
        return data.result.map((e) => ({
            labels: e.metric,
            values: [
                ...(e.values ?? []).map(([at, text]: Sample) => ({ at, text })),
                ...(e.histograms ?? []).map(([at, h]) => ({ at, text: ofHistogram(h) })),
            ],
        }));
    }
    return [{ labels: {}, values: [{ text: data.result[1] }] }];
}

type Order = 'given' | 'down' | 'up';

function sorted(rows: Row[], order: Order): Row[] {
    if (order === 'given') return rows;
    const sign = order === 'up' ? 1 : -1;
    const value = (r: Row) => Number(r.values[0]?.text);
    return [...rows].sort((a, b) => sign * (value(a) - value(b)));
}

export function ResultTable({ data }: { data: QueryData }) {
    const [order, setOrder] = useState<Order>('given');
    const [limit, setLimit] = useState(pageRows);
    const rows = sorted(rowsOf(data), order);
    if (rows.length === 0) return <Empty title="No series at this instant">The query is valid and matches nothing at the end of the time range.</Empty>;
    const next: Record<Order, Order> = { given: 'down', down: 'up', up: 'given' };
    const spoken = { given: 'none', down: 'descending', up: 'ascending' } as const;
    return (
        <div class="scroll-x">
            <table class="table">
                <caption class="visually-hidden">Query result</caption>
                <thead>
                    <tr>
                        <th scope="col">Series</th>
                        <th scope="col" class="number" aria-sort={spoken[order]}>
                            <button type="button" class="sort" onClick={() => setOrder(next[order])}>
                                Value {{ given: '', down: '↓', up: '↑' }[order]}
                            </button>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {rows.slice(0, limit).map((row, i) => (
                        <tr key={i}>
                            <th scope="row" class="mono">
                                <Series labels={row.labels} />
                            </th>
                            <td class="number mono">
                                {row.values.map((v, j) => (
                                    <div key={j}>
                                        {v.text}
                                        {v.at !== undefined && <span class="dim"> @ {formatInstant(v.at * 1000, zone.value)}</span>}
                                    </div>
                                ))}
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
            {rows.length > limit && <Button onClick={() => setLimit(limit + pageRows)}>Show more of {rows.length} series</Button>}
        </div>
    );
}

/** `name{label="value"}` with the parts told apart. */
function Series({ labels }: { labels: Labels }) {
    const { __name__: name, ...rest } = labels;
    const pairs = Object.entries(rest);
    if (name === undefined && pairs.length === 0) return <span class="dim">{'{}'}</span>;
    return (
        <span class="series">
            {name}
            {pairs.length > 0 && '{'}
            {pairs.map(([k, v], i) => (
                <span key={k}>
                    <span class="series-label">{k}</span>=<span class="series-value">{JSON.stringify(v)}</span>
                    {i < pairs.length - 1 && ', '}
                </span>
            ))}
            {pairs.length > 0 && '}'}
        </span>
    );
}
