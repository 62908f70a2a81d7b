// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalog, countTypes, search, suggestions } from './catalog.ts';

const meta = (type: string, help = '', unit = '') => [{ type, help, unit }];

const all = catalog(
    ['up', 'lat_seconds_bucket', 'lat_seconds_count', 'lat_seconds_sum', 'req_total', 'rpc_seconds', 'rpc_seconds_count', 'rpc_seconds_sum', 'loose_total', 'old_bucket', 'old_count', 'apples_count'],
    {
        up: meta('gauge', 'Whether the target answered.'),
        lat_seconds: meta('histogram', 'Time to answer.'),
        req: meta('counter', 'Requests.'),
        rpc_seconds: meta('summary'),
        apples_count: meta('unknown'),
        temp: meta('gauge'),
    },
);
const find = (name: string) => all.find((m) => m.name === name);

test('series are gathered into metrics', () => {
    assert.deepEqual(all.map((m) => `${m.name} ${m.type}`), [
        'apples_count unknown', 'lat_seconds histogram', 'loose_total counter', 'old histogram', 'req counter', 'rpc_seconds summary', 'up gauge',
    ]);
    assert.deepEqual(find('lat_seconds')?.names, ['lat_seconds_bucket', 'lat_seconds_count', 'lat_seconds_sum']);
    assert.equal(find('lat_seconds')?.unit, 's');
    assert.equal(find('up')?.help, 'Whether the target answered.');
    assert.equal(catalog(['x'], { x: meta('gauge', '', 'bytes') })[0].unit, 'bytes');
});

test('words are looked for in names first', () => {
    assert.deepEqual(search(all, 'req', null).map((m) => m.name), ['req']);
    assert.deepEqual(search(all, 'answer', null).map((m) => m.name), ['lat_seconds', 'up']);
    assert.deepEqual(search(all, 'seconds', 'summary').map((m) => m.name), ['rpc_seconds']);
    assert.equal(search(all, '  ', null).length, all.length);
    assert.equal(countTypes(all).counter, 2);
});

test('each type has its own questions', () => {
    const first = (name: string, selector = '') => suggestions(find(name) ?? all[0], selector)[0].expr;
    assert.equal(first('up'), 'avg(up)');
    assert.equal(first('req'), 'sum(rate(req_total[5m]))');
    assert.equal(first('loose_total', '{job="a"}'), 'sum(rate(loose_total{job="a"}[5m]))');
    assert.equal(first('lat_seconds', '{a="b"}'), 'histogram_quantile(0.95, sum by (le) (rate(lat_seconds_bucket{a="b"}[5m])))');
    assert.equal(suggestions({ ...all[0], name: 'n', type: 'histogram', names: ['n'] })[0].expr, 'histogram_quantile(0.95, sum(rate(n[5m])))');
});
