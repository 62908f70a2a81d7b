// SPDX-License-Identifier: Apache-2.0
//
// The queries under way, with what each took so far, and an end to any of them.

import { basePath } from '../../app/base.ts';
import { request } from '../../api/client.ts';
import { useResource } from '../../api/resource.ts';
import { formatInstant } from '../../time/format.ts';
import { refreshNow, tick, zone } from '../../time/state.ts';
import { Button } from '../../ui/button.tsx';
import { Empty, ErrorBox, Loading } from '../../ui/states.tsx';
import { toast } from '../../ui/toast.tsx';
import { formatRounded } from '../../units/units.ts';

interface ActiveQuery {
    id: number;
    query: string;
    path: string;
    remote: string;
    state: 'waiting' | 'running' | 'ending';
    elapsedSeconds: number;
    samples: number;
    memoryBytes: number;
}

interface Active {
    queries: ActiveQuery[];
    /** Those that ran when the process before this one ended. */
    unfinished: { query: string; startTime: string }[];
}

async function end({ id }: ActiveQuery) {
    const response = await fetch(`${basePath}api/v1/status/active_queries/${id}/cancel`, { method: 'POST', credentials: 'same-origin' }).catch(() => undefined);
    if (response === undefined) toast('The server cannot be reached');
    else if (response.status === 404) toast('It had ended already');
    else toast(response.ok ? 'The query is ended' : `Refused with status ${response.status}`);
    refreshNow();
}

function Row({ query }: { query: ActiveQuery }) {
    return (
        <tr>
            <td>
                <code>{query.query}</code>
            </td>
            <td>{query.remote}</td>
            <td>{query.state}</td>
            <td class="number">{formatRounded('s', query.elapsedSeconds)}</td>
            <td class="number">{formatRounded('short', query.samples)}</td>
            <td class="number">{formatRounded('bytes', query.memoryBytes)}</td>
            <td>
                <Button disabled={query.state === 'ending'} onClick={() => void end(query)}>
                    End
                </Button>
            </td>
        </tr>
    );
}

function Running({ queries }: { queries: readonly ActiveQuery[] }) {
    if (queries.length === 0) return <Empty title="No query is under way" />;
    return (
        <div class="scroll-x">
            <table class="table">
                <thead>
                    <tr>
                        <th scope="col">Query</th>
                        <th scope="col">From</th>
                        <th scope="col">State</th>
                        <th scope="col" class="number">Time</th>
                        <th scope="col" class="number">Samples</th>
                        <th scope="col" class="number">Memory</th>
                        <th scope="col" aria-label="End" />
                    </tr>
                </thead>
                <tbody>
                    {queries.map((q) => (
                        <Row key={q.id} query={q} />
                    ))}
                </tbody>
            </table>
        </div>
    );
}

export function Queries() {
    const { data, error } = useResource('active-queries', tick.value, (signal) => request<Active>('status/active_queries', {}, signal), true);
    if (data === undefined) return error === undefined ? <Loading text="" /> : <ErrorBox error={error} onRetry={refreshNow} />;
    const { queries, unfinished } = data.data;
    return (
        <>
            <section class="card" aria-label="Queries under way">
                <header class="card-head">
                    <h2>Under way</h2>
                </header>
                <Running queries={queries} />
            </section>
            {unfinished.length > 0 && (
                <section class="card" aria-label="Queries that ran when the process ended">
                    <header class="card-head">
                        <h2>Ran when the process before this one ended</h2>
                    </header>
                    <ul class="warnings">
                        {unfinished.map((q) => (
                            <li key={q.startTime + q.query}>
                                <code>{q.query}</code> <span class="dim">{formatInstant(Date.parse(q.startTime), zone.value)}</span>
                            </li>
                        ))}
                    </ul>
                </section>
            )}
        </>
    );
}
