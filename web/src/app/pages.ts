// SPDX-License-Identifier: Apache-2.0
//
// The pages, in the order of the rail. A new page is one more row here and its folder in src/pages.

import type { FunctionComponent } from 'preact';
import type { IconName } from '../ui/icon.tsx';

export interface PageDef {
    /** Below the base path; the start page is empty. */
    path: string;
    /** Other addresses that open it, for links made for other tools. */
    aliases?: readonly string[];
    title: string;
    icon: IconName;
    keys: readonly string[];
    load: () => Promise<{ default: FunctionComponent }>;
}

export const pages: readonly PageDef[] = [
    { path: '', title: 'Home', icon: 'home', keys: ['g', 'h'], load: () => import('../pages/home/home.tsx') },
    { path: 'query', aliases: ['graph'], title: 'Query', icon: 'query', keys: ['g', 'q'], load: () => import('../pages/query/query.tsx') },
    { path: 'explore', title: 'Metrics', icon: 'list', keys: ['g', 'm'], load: () => import('../pages/metrics/metrics.tsx') },
    { path: 'targets', aliases: ['service-discovery'], title: 'Targets', icon: 'targets', keys: ['g', 't'], load: () => import('../pages/targets/targets.tsx') },
    { path: 'status', aliases: ['tsdb-status', 'config', 'flags'], title: 'Status', icon: 'status', keys: ['g', 's'], load: () => import('../pages/status/status.tsx') },
];
