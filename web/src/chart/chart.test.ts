// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildFrame, drawnColumns, lastValue, linesMax, summarise } from './frame.ts';
import { fillTemplate, seriesName, shortNames } from './legend.ts';
import { interpolate } from './panel-def.ts';
import { lineStyle } from './palette.ts';

test('legend templates take labels', () => {
    assert.equal(fillTemplate('{{device}} read', { device: 'sda' }), 'sda read');
    assert.equal(fillTemplate('{{ a }}-{{b}}', { a: '1' }), '1-');
    assert.equal(fillTemplate('plain', {}), 'plain');
});

test('series are named by what differs', () => {
    assert.equal(seriesName({ __name__: 'up', job: 'a"b' }), 'up{job="a\\"b"}');
    assert.equal(seriesName({}), '{}');
    assert.deepEqual(shortNames([{ __name__: 'up', job: 'a' }]), ['up{job="a"}']);
    assert.deepEqual(shortNames([{ job: 'n', cpu: '0' }, { job: 'n', cpu: '1' }]), ['cpu 0', 'cpu 1']);
    assert.deepEqual(shortNames([{ mode: 'idle' }, { mode: 'user' }]), ['idle', 'user']);
    assert.deepEqual(shortNames([{ x: '1', y: '1' }, { x: '2', y: '2' }]), ['{x="1", y="1"}', '{x="2", y="2"}']);
});

test('a frame has one time axis with gaps', () => {
    const frame = buildFrame(
        [
            { matrix: [{ metric: { d: 'a' }, values: [[10, '1'], [20, '2'], [40, '4']] }], legend: '{{d}}' },
            { matrix: [{ metric: { d: 'b' }, values: [[30, 'NaN'], [40, '+Inf'], [50, '-3']] }], legend: '{{d}}', mirrored: true },
        ],
        10,
    );
    assert.deepEqual(frame.times, [10, 20, 30, 40, 50]);
    assert.deepEqual(frame.lines.map((l) => l.values), [[1, 2, null, 4, null], [null, null, null, null, -3]]);
    assert.deepEqual(frame.lines.map((l) => l.name), ['a', 'b']);
    assert.equal(lastValue(frame.lines[0].values), 4);
});

test('an empty answer is an empty frame', () => {
    assert.deepEqual(buildFrame([{ matrix: [] }, { matrix: [{ metric: {} }] }], 5), { times: [], lines: [], dropped: 0 });
});

test('only the strongest lines are drawn', () => {
    const matrix = Array.from({ length: linesMax + 5 }, (_, i) => ({ metric: { i: String(i) }, values: [[0, String(i)] as [number, string]] }));
    const frame = buildFrame([{ matrix }], 1);
    assert.equal(frame.lines.length, linesMax);
    assert.equal(frame.dropped, 5);
    assert.equal(frame.lines[0].labels.i, '5');
});

test('stacks add up, skip hidden lines and grow both ways', () => {
    const line = (key: string, values: (number | null)[], extra = {}) => ({ key, name: key, labels: {}, values, mirrored: false, dashed: false, ...extra });
    const lines = [line('a', [1, 2]), line('b', [10, null]), line('c', [5, 5]), line('out', [3, 3], { mirrored: true }), line('limit', [9, 9], { dashed: true })];
    const nothing = () => false;
    assert.deepEqual(drawnColumns(lines, true, nothing), [[1, 2], [11, null], [16, 7], [-3, -3], [9, 9]]);
    assert.deepEqual(drawnColumns(lines, true, (k) => k === 'a')[2], [15, 5]);
    assert.deepEqual(drawnColumns(lines, false, nothing)[3], [-3, -3]);
});

test('summaries ignore gaps', () => {
    assert.deepEqual(summarise([null, 2, 4, null]), { last: 4, min: 2, mean: 3, max: 4 });
    assert.deepEqual(summarise([null]), { last: null, min: null, mean: null, max: null });
});

test('no two of the first 32 lines look the same', () => {
    const looks = new Set(Array.from({ length: 32 }, (_, i) => JSON.stringify(lineStyle(i))));
    assert.equal(looks.size, 32);
});

test('variables are filled in', () => {
    assert.equal(interpolate('rate(x{$host}[$window]) + $other', { host: 'a="b"', window: '20s' }), 'rate(x{a="b"}[20s]) + $other');
});
