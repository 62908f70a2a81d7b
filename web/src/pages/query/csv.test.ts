// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MatrixEntry } from '../../api/types.ts';
import { csv } from './csv.ts';

test('samples are rows, labels are columns', () => {
    const result: MatrixEntry[] = [
        { metric: { __name__: 'up', job: 'a "b", c' }, values: [[0, '1'], [15.5, 'NaN']] },
        { metric: { zone: 'x' }, values: [[30, '2']] },
    ];
    assert.equal(
        csv({ resultType: 'matrix', result }),
        'time,__name__,job,zone,value\r\n1970-01-01T00:00:00.000Z,up,"a ""b"", c",,1\r\n1970-01-01T00:00:15.500Z,up,"a ""b"", c",,NaN\r\n1970-01-01T00:00:30.000Z,,,x,2\r\n',
    );
    assert.equal(csv({ resultType: 'vector', result: [{ metric: {}, value: [1, '3'] }] }), 'time,value\r\n1970-01-01T00:00:01.000Z,3\r\n');
});
