// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ActiveTarget } from '../../api/types.ts';
import { countStates, filterTargets, groupPools, sharedLabels } from './pools.ts';

const target = (scrapePool: string, scrapeUrl: string, health: ActiveTarget['health'], lastError = ''): ActiveTarget => ({
    scrapePool, scrapeUrl, health, lastError, labels: { job: scrapePool }, discoveredLabels: {}, lastScrape: '', lastScrapeDuration: 0,
});

const all = [
    target('a', 'http://one/', 'up'),
    target('b', 'http://three/', 'up'),
    target('b', 'http://two/', 'down', 'connection refused'),
    target('c', 'http://four/', 'unknown'),
];

test('failing targets and their pools come first', () => {
    const pools = groupPools(all);
    assert.deepEqual(pools.map((p) => p.name), ['b', 'c', 'a']);
    assert.deepEqual(pools[0].targets.map((t) => t.scrapeUrl), ['http://two/', 'http://three/']);
    assert.deepEqual(countStates(all), { down: 1, unknown: 1, up: 2 });
});

test('every word of the search has to match', () => {
    const urls = (text: string, state: ActiveTarget['health'] | null = null) => filterTargets(all, text, state).map((t) => t.scrapeUrl);
    assert.deepEqual(urls('job=b'), ['http://three/', 'http://two/']);
    assert.deepEqual(urls('JOB=b refused'), ['http://two/']);
    assert.deepEqual(urls('', 'up'), ['http://one/', 'http://three/']);
    assert.deepEqual(urls('nothing'), []);
});

test('labels that all targets have are told once', () => {
    const labelled = (labels: Record<string, string>) => ({ ...all[0], labels });
    assert.deepEqual(sharedLabels([labelled({ job: 'a', env: 'x', instance: '1' }), labelled({ job: 'a', env: 'x', instance: '2', zone: 'z' })]), { job: 'a', env: 'x' });
    assert.deepEqual(sharedLabels([labelled({ job: 'a' })]), {});
    assert.deepEqual(sharedLabels([]), {});
});
