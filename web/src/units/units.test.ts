// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { autoDecimals, formatRounded, formatValue } from './units.ts';

test('values are scaled and named', () => {
    const rows: [string, number, string][] = [
        ['short', 0, '0'],
        ['short', 999, '999'],
        ['short', 1000, '1 K'],
        ['short', 1_500_000, '1.5 Mil'],
        ['short', 2_340_000_000, '2.34 Bil'],
        ['short', -1500, '-1.5 K'],
        ['bytes', 0, '0 B'],
        ['bytes', 1023, '1023 B'],
        ['bytes', 1024, '1 KiB'],
        ['bytes', 1024 ** 3, '1 GiB'],
        ['bytes', 1024 ** 10, '1048576 YiB'],
        ['decbytes', 1500, '1.5 kB'],
        ['Bps', 1_000_000, '1 MB/s'],
        ['bps', 1000, '1 kb/s'],
        ['hertz', 0.001, '1 mHz'],
        ['percent', 12.5, '12.5%'],
        ['percentunit', 0.125, '12.5%'],
        ['percentunit', 1, '100%'],
        ['s', 0, '0 s'],
        ['s', 0.0005, '500 µs'],
        ['s', 0.25, '250 ms'],
        ['s', 59, '59 s'],
        ['s', 60, '1 min'],
        ['s', 7200, '2 hours'],
        ['s', 86_400, '1 day'],
        ['ms', 1500, '1.5 s'],
        ['dtdhms', 90_061, '1 d 01:01:01'],
        ['reqps', 1500, '1.5 K req/s'],
        ['ops', 3, '3 ops/s'],
        ['celsius', 21, '21°C'],
        ['bool_yes_no', 1, 'Yes'],
        ['bool_on_off', 0, 'Off'],
        ['conn', 4, '4 conn'],
        ['none', 4.25, '4.25'],
        ['short', Infinity, '+Inf'],
        ['short', -Infinity, '-Inf'],
        ['short', NaN, 'NaN'],
        ['short', -0, '0'],
    ];
    for (const [unit, value, text] of rows) assert.equal(formatValue(unit, value), text, `${unit} ${value}`);
    assert.equal(formatValue('short', null), '–');
});

test('explicit decimals keep their zeros', () => {
    assert.equal(formatValue('bytes', 1536, 2), '1.50 KiB');
    assert.equal(formatValue('percentunit', 0.5, 1), '50.0%');
});

test('automatic decimals give three digits', () => {
    const rows: [number, number][] = [[0, 0], [5, 0], [0.5, 3], [0.1, 3], [12.34, 1], [0.00042, 6]];
    for (const [value, decimals] of rows) assert.equal(autoDecimals(value), decimals, String(value));
});

test('rounded values have three digits', () => {
    const rows: [string, number, string][] = [
        ['short', 0.001234, '0.0012'],
        ['short', 0.5, '0.50'],
        ['short', 12.345, '12.3'],
        ['short', 123.45, '123'],
        ['bytes', 4_480_000_000, '4.17 GiB'],
        ['percentunit', 0.0333, '3.33%'],
        ['s', 0.00123, '1.23 ms'],
        ['short', 3, '3'],
    ];
    for (const [unit, value, text] of rows) assert.equal(formatRounded(unit, value), text);
});
