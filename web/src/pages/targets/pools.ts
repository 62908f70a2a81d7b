// SPDX-License-Identifier: Apache-2.0

import type { ActiveTarget, Labels } from '../../api/types.ts';

/** Worst first: the order of everything on the page. */
export const healths = ['down', 'unknown', 'up'] as const;
export type Health = (typeof healths)[number];

export interface Pool {
    name: string;
    targets: ActiveTarget[];
}

const rank = (t: ActiveTarget) => healths.indexOf(t.health);

export function countStates(targets: readonly ActiveTarget[]): Record<Health, number> {
    const counts = { down: 0, unknown: 0, up: 0 };
    for (const t of targets) counts[t.health]++;
    return counts;
}

/** The labels that all targets of a pool have alike: said once, not on each row. A lone target keeps its own. */
export function sharedLabels(targets: readonly ActiveTarget[]): Labels {
    if (targets.length < 2) return {};
    const [first, ...rest] = targets;
    return Object.fromEntries(Object.entries(first.labels).filter(([name, value]) => rest.every((t) => t.labels[name] === value)));
}

/** Every word has to occur in the address, a label, the pool or the error. */
export function filterTargets(targets: readonly ActiveTarget[], text: string, state: Health | null): ActiveTarget[] {
    const words = text.toLowerCase().split(/\s+/).filter((w) => w !== '');
    return targets.filter((t) => {
        if (state !== null && t.health !== state) return false;
        if (words.length === 0) return true;
        const labels = Object.entries(t.labels).map(([k, v]) => `${k}=${v}`);
        const haystack = [t.scrapeUrl, t.scrapePool, t.lastError, ...labels].join('\n').toLowerCase();
        return words.every((w) => haystack.includes(w));
    });
}

/** Failing targets first in a pool, pools with failing targets first on the page. */
export function groupPools(targets: readonly ActiveTarget[]): Pool[] {
    const pools = new Map<string, ActiveTarget[]>();
    for (const t of targets) {
        const list = pools.get(t.scrapePool);
        if (list === undefined) pools.set(t.scrapePool, [t]);
        else list.push(t);
    }
    const worst = (p: Pool) => Math.min(...p.targets.map(rank));
    return [...pools]
        .map(([name, list]) => ({ name, targets: list.sort((a, b) => rank(a) - rank(b) || a.scrapeUrl.localeCompare(b.scrapeUrl)) }))
        .sort((a, b) => worst(a) - worst(b) || a.name.localeCompare(b.name));
}
