// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodePanels, decodeRange, encodePanels, encodeRange, panelRange } from './params.ts';

const now = Date.UTC(2026, 2, 1, 12);
const query = (text: string) => new URLSearchParams(text);

test('the range is read, with a default', () => {
    assert.deepEqual(decodeRange(query(''), now), { from: 'now-1h', to: 'now' });
    assert.deepEqual(decodeRange(query('from=now-6h&to=now-1h'), now), { from: 'now-6h', to: 'now-1h' });
    assert.deepEqual(decodeRange(query('from=nonsense'), now), { from: 'now-1h', to: 'now' });
    assert.deepEqual(decodeRange(query('from=now&to=now-1h'), now), { from: 'now-1h', to: 'now' });
});

test("Prometheus' own range is understood", () => {
    assert.deepEqual(decodeRange(query('g0.expr=up&g0.range_input=2h'), now), { from: 'now-2h', to: 'now' });
    const end = Date.UTC(2026, 1, 28, 10);
    const expected = { from: String(end - 3_600_000), to: String(end) };
    assert.deepEqual(decodeRange(query('g0.range_input=1h&g0.end_input=2026-02-28 10:00:00'), now), expected);
    assert.deepEqual(decodeRange(query('g0.range_input=1h&g0.end_input=2026-02-28T10:00:00Z'), now), expected);
    assert.deepEqual(decodeRange(query('g0.range_input=1h&g0.moment_input=2026-02-28 10:00:00'), now), expected);
    assert.deepEqual(decodeRange(query('g0.range_input=bad'), now), { from: 'now-1h', to: 'now' });
});

test('the default range is not written', () => {
    const params = query('from=now-6h&to=now&x=1');
    encodeRange(params, { from: 'now-1h', to: 'now' });
    assert.equal(params.toString(), 'x=1');
    encodeRange(params, { from: 'now-2d', to: 'now' });
    assert.equal(params.toString(), 'x=1&from=now-2d');
});

test('panels come in the order of their numbers', () => {
    const panels = decodePanels(query('g10.expr=c&g0.expr=a&g0.tab=1&g2.expr=b&g2.tab=0&g2.display_mode=stacked&g2.unit=s&g0.stacked=1&gx.expr=no'));
    assert.deepEqual(panels, [
        { expr: 'a', tab: 'table', stacked: true, unit: '' },
        { expr: 'b', tab: 'graph', stacked: true, unit: 's' },
        { expr: 'c', tab: 'graph', stacked: false, unit: '' },
    ]);
});

test('what is written is read back', () => {
    const panels = [
        { expr: 'sum by (a) (rate(x{b="&=+"}[5m]))', tab: 'graph' as const, stacked: true, unit: 'bytes' },
        { expr: 'rate(up[5m])', tab: 'explain' as const, stacked: false, unit: '' },
        { expr: 'up', tab: 'table' as const, stacked: false, unit: '' },
    ];
    const ranges = [
        { from: 'now-1h', to: 'now' },
        { from: 'now-30m', to: 'now' },
        { from: 'now-1d/d', to: 'now-1d/d' },
        { from: String(now - 7_200_000), to: String(now) },
    ];
    for (const range of ranges) {
        const text = encodePanels(panels, range, now).toString();
        assert.deepEqual(decodePanels(query(text)), panels);
        assert.deepEqual(decodeRange(query(text), now), range, text);
        assert.equal(encodePanels(decodePanels(query(text)), decodeRange(query(text), now), now).toString(), text);
    }
});

test('an absolute end is written as Prometheus does', () => {
    assert.deepEqual(panelRange({ from: String(now - 3_600_000), to: String(now) }, now), { width: '1h', end: '2026-03-01 12:00:00' });
});
