// SPDX-License-Identifier: Apache-2.0
//
// What completion asks the server. Answers are kept for a minute: a name that appears later is worth less
// than an answer at every key press.

import type { PrometheusClient } from '@prometheus-io/codemirror-promql';
import * as api from '../api/client.ts';

const keepMs = 60_000;

/** What the completion may add to a selector: the pairs already typed. */
interface Pair {
    name: string;
    value: string;
    matchesEmpty(): boolean;
}

type Matchers = Parameters<PrometheusClient['series']>[1];

const cache = new Map<string, { at: number; answer: Promise<unknown> }>();

/** Completion must never break typing: what the server refuses is simply not offered. */
function kept<T>(key: string, empty: T, ask: () => Promise<T>): Promise<T> {
    const found = cache.get(key);
    if (found !== undefined && Date.now() - found.at < keepMs) return found.answer as Promise<T>;
    const answer = ask().catch(() => {
        cache.delete(key);
        return empty;
    });
    cache.set(key, { at: Date.now(), answer });
    return answer;
}

function selector(metric: string | undefined, matchers: Matchers = [], without?: string): string[] {
    const pairs = (matchers as unknown as Pair[])
        .filter((m) => m.name !== without && m.value !== '' && !m.matchesEmpty())
        .map((m) => `${m.name}=${JSON.stringify(m.value)}`);
    if ((metric === undefined || metric === '') && pairs.length === 0) return [];
    return [`${metric ?? ''}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''}`];
}

export const completionClient: PrometheusClient = {
    metricNames: () => kept('names', [], async () => (await api.labelValues('__name__', [])).data),
    metricMetadata: () => kept('metadata', {}, async () => (await api.metadata()).data),
    labelNames(metric) {
        const match = selector(metric);
        return kept(`labels ${match.join()}`, [], async () => (await api.labelNames(match)).data);
    },
    labelValues(name, metric, matchers) {
        const match = selector(metric, matchers, name);
        return kept(`values ${name} ${match.join()}`, [], async () => (await api.labelValues(name, match)).data);
    },
    series(metric, matchers, name) {
        const match = selector(metric, matchers, name);
        if (match.length === 0) return Promise.resolve([]);
        return kept(`series ${match.join()}`, [], async () => {
            const now = Date.now();
            const { data } = await api.series(match, now - 12 * 3_600_000, now);
            return data.map((labels) => new Map(Object.entries(labels)));
        });
    },
    flags: () => Promise.resolve({}),
};
