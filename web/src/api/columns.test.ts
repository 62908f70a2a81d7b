// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeColumns } from './columns.ts';
import { pointsOf } from './points.ts';
import type { MatrixEntry } from './types.ts';

/** The bytes that src/format/columns_test.c expects of the server. */
const hex =
    '4e4e434f4c533031e803000000000000f4010000000000000300000002000000' +
    '04000000070000007b2261223a317d080000005f5f6e616d655f5f010000006d' +
    '010000006902000000c3a9000000000002000000000000000300000000000000' +
    '00000000010000000200000001000000000000000000f03f000000000000e0bf' +
    '000000000000f07f020000000100000002000000000000000000000001000000' +
    '020000000300000005000000000000000000000000000040';

const answer = (text: string = hex): ArrayBuffer => Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16)).buffer;

const entries = (buffer: ArrayBuffer): MatrixEntry[] => decodeColumns(buffer).data?.result as MatrixEntry[];

test('series have labels, times and values', () => {
    const { data, ...rest } = decodeColumns(answer());
    assert.deepEqual(rest, { a: 1 });
    assert.equal(data?.resultType, 'matrix');
    assert.deepEqual(
        entries(answer()).map((m) => [m.metric, m.values]),
        [
            [{ __name__: 'm', i: 'm' }, [[1, '1'], [1.5, '-0.5'], [2, '+Inf']]],
            [{ __name__: 'm', i: 'é' }, [[1, '2'], [2, '2']]],
        ],
    );
    const points = pointsOf(entries(answer())[1]);
    assert.deepEqual([points.length, points.time(1), points.value(0), points.value(1)], [2, 2, 2, 2]);
});

test('both forms have the same points', () => {
    const points = pointsOf({ metric: {}, values: [[1, '2.5'], [3, '+Inf']] });
    assert.deepEqual([points.length, points.time(0), points.value(0)], [2, 1, 2.5]);
    assert.equal(pointsOf({ metric: {} }).length, 0);
});

test('what is cut short or changed is refused, never more', () => {
    const outcome = (text: string): string => {
        try {
            decodeColumns(answer(text));
            return 'read';
        } catch (error) {
            return error instanceof Error ? error.name : 'thrown';
        }
    };
    for (let n = 0; n < hex.length; n += 2) assert.equal(outcome(hex.slice(0, n)) === 'read', false, `cut at ${n / 2}`);
    for (let n = 16; n < hex.length; n += 2) {
        const name = outcome(`${hex.slice(0, n)}ff${hex.slice(n + 2)}`);
        assert.ok(['read', 'RangeError', 'SyntaxError'].includes(name), `${name} at ${n / 2}`);
    }
});
