// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDuration } from './duration.ts';
import { axisLabels, formatAgo, formatInstant, formatSpan } from './format.ts';
import { parseTime, relativeName, resolveRange, shift, zoomOut } from './range.ts';
import { alignSpan, chooseStep, rateWindow } from './step.ts';

const s = 1000;
const m = 60 * s;
const h = 60 * m;
const d = 24 * h;

test('durations are read and written', () => {
    const rows: [string, number][] = [
        ['1h', h], ['90s', 90 * s], ['1h30m', 1.5 * h], ['250ms', 250], ['1m30s500ms', 90_500], ['2w', 14 * d], ['1y', 365 * d], ['0', 0],
    ];
    for (const [text, ms] of rows) assert.equal(parseDuration(text), ms, text);
    for (const bad of ['', 'h', '1', '1x', '1m1h', '-5m', '1.5h', '1h 5m']) assert.equal(parseDuration(bad), null, bad);
    const written: [number, string][] = [
        [0, '0s'], [5 * s, '5s'], [90 * m, '1h30m'], [90 * d, '90d'], [14 * d, '2w'], [8 * d, '8d'], [1500, '1s500ms'], [365 * d, '1y'],
    ];
    for (const [ms, text] of written) assert.equal(formatDuration(ms), text);
});

test('one end of a range is read', () => {
    const now = new Date(2026, 2, 4, 15, 30, 20, 500).getTime(); // a Wednesday
    const local = (...f: [number, number, number, number?, number?, number?, number?]) => new Date(...(f as [number, number, number])).getTime();
    assert.equal(parseTime('now', now, false), now);
    assert.equal(parseTime('now-6h', now, false), now - 6 * h);
    assert.equal(parseTime('now+1h30m', now, true), now + 1.5 * h);
    assert.equal(parseTime('now/d', now, false), local(2026, 2, 4));
    assert.equal(parseTime('now/d', now, true), local(2026, 2, 5) - 1);
    assert.equal(parseTime('now-1d/d', now, false), local(2026, 2, 3));
    assert.equal(parseTime('now/w', now, false), local(2026, 2, 2));
    assert.equal(parseTime('now/M', now, true), local(2026, 3, 1) - 1);
    assert.equal(parseTime('1772636400000', now, false), 1772636400000);
    assert.equal(parseTime('1772636400.5', now, false), 1772636400500);
    assert.equal(parseTime('2026-03-01T12:00:00Z', now, false), Date.UTC(2026, 2, 1, 12));
    assert.equal(parseTime('2026-03-01 12:00', now, false), new Date(2026, 2, 1, 12).getTime());
    assert.equal(parseTime('2026-03-01 12:00', now, false, 'utc'), Date.UTC(2026, 2, 1, 12));
    const evening = Date.UTC(2026, 2, 4, 23, 30);
    assert.equal(parseTime('now/d', evening, false, 'utc'), Date.UTC(2026, 2, 4));
    assert.equal(parseTime('now/w', evening, true, 'utc'), Date.UTC(2026, 2, 9) - 1);
    assert.equal(parseTime('now/y', evening, false, 'utc'), Date.UTC(2026, 0, 1));
    for (const bad of ['', 'later', 'now-', 'now-1x', 'now/q', '2026-13-01', '12', '2026-03-01 25:00']) {
        assert.equal(parseTime(bad, now, false), null, bad);
    }
});

test('a range has to run forward', () => {
    assert.deepEqual(resolveRange({ from: 'now-1h', to: 'now' }, 10 * h), { from: 9 * h, to: 10 * h });
    assert.equal(resolveRange({ from: 'now', to: 'now-1h' }, 10 * h), null);
    assert.equal(resolveRange({ from: 'now', to: 'now' }, 10 * h), null);
});

test('zooming and shifting stay out of the future', () => {
    assert.deepEqual(zoomOut({ from: 4 * h, to: 6 * h }, 100 * h), { from: 3 * h, to: 7 * h });
    assert.deepEqual(zoomOut({ from: 8 * h, to: 10 * h }, 10 * h), { from: 6 * h, to: 10 * h });
    assert.deepEqual(shift({ from: 4 * h, to: 6 * h }, -1, 100 * h), { from: 3 * h, to: 5 * h });
    assert.deepEqual(shift({ from: 8 * h, to: 10 * h }, 1, 10.5 * h), { from: 8.5 * h, to: 10.5 * h });
    assert.deepEqual(shift({ from: 8 * h, to: 10 * h }, 1, 10 * h), { from: 8 * h, to: 10 * h });
});

test('ranges have names', () => {
    assert.equal(relativeName({ from: 'now-1h', to: 'now' }), 'Last hour');
    assert.equal(relativeName({ from: 'now-45m', to: 'now' }), 'Last 45m');
    assert.equal(relativeName({ from: 'now-1d/d', to: 'now-1d/d' }), 'Yesterday');
    assert.equal(relativeName({ from: '1772636400000', to: '1772640000000' }), null);
});

test('steps and rate windows match the known table', () => {
    const rows: [number, number, number, number, number][] = [
        // range, pixels, scrape interval, step, rate window
        [15 * m, 1000, 15 * s, 15 * s, 60 * s],
        [6 * h, 1000, 15 * s, 20 * s, 60 * s],
        [24 * h, 1000, 15 * s, m, 75 * s],
        [24 * h, 600, 15 * s, 2 * m, 135 * s],
        [7 * d, 1000, 15 * s, 10 * m, 615 * s],
        [h, 400, 5 * s, 10 * s, 20 * s],
        [2 * m, 400, 5 * s, 5 * s, 20 * s],
    ];
    for (const [range, px, scrape, step, window] of rows) {
        assert.equal(chooseStep(range, px, scrape), step);
        assert.equal(rateWindow(step, scrape), window);
    }
});

test('a step never asks for more points than the server gives', () => {
    for (const range of [h, d, 30 * d, 365 * d]) assert.ok(range / chooseStep(range, 100_000, 1) <= 11_000);
});

test('queries start and end on a multiple of the step', () => {
    assert.deepEqual(alignSpan({ from: 1234, to: 9876 }, 500), { from: 1000, to: 9500 });
});

test('instants are written in the chosen zone', () => {
    const at = Date.UTC(2026, 2, 1, 4, 5, 6);
    assert.equal(formatInstant(at, 'utc'), '2026-03-01 04:05:06');
    assert.equal(formatSpan(at, at + h, 'utc'), '2026-03-01 04:05:06 – 05:05:06');
    assert.equal(formatSpan(Date.UTC(2026, 2, 1, 4), Date.UTC(2026, 2, 2, 4), 'utc'), '2026-03-01 04:00 – 2026-03-02 04:00');
});

test('axis labels say the day where it changes', () => {
    const at = (...f: [number, number, number]) => Date.UTC(2026, 2, ...f);
    assert.deepEqual(axisLabels([at(1, 22, 0), at(1, 23, 0), at(2, 0, 0)], h, 'utc'), ['22:00', '23:00', '00:00\n03-02']);
    assert.deepEqual(axisLabels([at(1, 0, 0), at(2, 0, 0)], d, 'utc'), ['03-01', '03-02']);
    assert.deepEqual(axisLabels([at(1, 0, 0), at(1, 0, 0) + 5 * s], 5 * s, 'utc'), ['00:00:00', '00:00:05']);
});

test('how long ago', () => {
    const now = 1_000_000_000;
    const rows: [number, string][] = [[0, 'just now'], [12 * s, '12 s ago'], [5 * m, '5 min ago'], [3 * h, '3 h ago'], [4 * d, '4 d ago']];
    for (const [before, text] of rows) assert.equal(formatAgo(now - before, now), text);
});
