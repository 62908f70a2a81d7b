// SPDX-License-Identifier: Apache-2.0
//
// What the tabs of the status page are made of.

import type { ComponentChildren } from 'preact';
import { status } from '../../api/client.ts';
import { useResource, type Resource } from '../../api/resource.ts';
import type { Answer } from '../../api/types.ts';
import { refreshNow, tick } from '../../time/state.ts';
import { Empty, ErrorBox, Loading } from '../../ui/states.tsx';

export function useNunchi() {
    return useResource('nunchi', tick.value, status.nunchi, true);
}

export function Card({ title, children, extra }: { title: string; children: ComponentChildren; extra?: ComponentChildren }) {
    return (
        <section class="card" aria-label={title}>
            <header class="card-head">
                <h2>{title}</h2>
                {extra}
            </header>
            {children}
        </section>
    );
}

/** What to show of an answer: itself, that it is on its way, or why it did not come. */
export function Loaded<T>({ resource, children }: { resource: Resource<Answer<T>>; children: (data: T) => ComponentChildren }) {
    if (resource.data !== undefined) return <>{children(resource.data.data)}</>;
    if (resource.error === undefined) return <Loading text="" />;
    if (resource.error.status === 404) return <Empty title="This server does not tell" />;
    return <ErrorBox error={resource.error} onRetry={refreshNow} />;
}

export type Figure = [name: string, value: string, remark?: string];

export function Figures({ values }: { values: readonly Figure[] }) {
    return (
        <dl class="figures">
            {values.map(([name, value, remark]) => (
                <div key={name}>
                    <dt>{name}</dt>
                    <dd class="number">
                        {value}
                        {remark !== undefined && <span class="dim"> {remark}</span>}
                    </dd>
                </div>
            ))}
        </dl>
    );
}

/** A column whose name begins with # is of numbers. */
export function DataTable({ columns, rows, note }: { columns: readonly string[]; rows: readonly (readonly ComponentChildren[])[]; note?: string }) {
    const isNumber = columns.map((c) => c.startsWith('#'));
    return (
        <div class="scroll-x">
            <table class="table">
                <thead>
                    <tr>
                        {columns.map((c, i) => (
                            <th key={c} scope="col" class={isNumber[i] ? 'number' : ''}>
                                {c.replace('#', '')}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {rows.map((row, r) => (
                        <tr key={r}>
                            {row.map((cell, i) => (
                                <td key={i} class={isNumber[i] ? 'number' : ''}>
                                    {cell}
                                </td>
                            ))}
                        </tr>
                    ))}
                </tbody>
            </table>
            {note !== undefined && <p class="dim table-note">{note}</p>}
        </div>
    );
}

/** The API tells these under names that mean something else to a reader. */
const renamed: Record<string, string> = { version: 'API of Prometheus', nunchiVersion: 'nunchi' };

/** `lastConfigTime` is `Last config time`, `GOMAXPROCS` stays. */
export function words(name: string): string {
    if (name in renamed) return renamed[name];
    if (name === name.toUpperCase()) return name;
    const spaced = name.replace(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
    return spaced[0].toUpperCase() + spaced.slice(1);
}
