// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { caret, locate } from './error.ts';

test('the place is taken out of the message', () => {
    assert.deepEqual(locate('invalid parameter "query": 1:5: parse error: unexpected "="'), { line: 1, column: 5, message: 'unexpected "="' });
    assert.deepEqual(locate('2:11: error: unknown function "rat"\nhint: did you mean "rate"?'), {
        line: 2,
        column: 11,
        message: 'unknown function "rat"\nhint: did you mean "rate"?',
    });
    assert.deepEqual(locate('query timed out'), { message: 'query timed out' });
});

test('the caret stands under the place', () => {
    assert.deepEqual(caret('sum(\n  up(', { line: 2, column: 5, message: '' }), { source: '  up(', marker: '    ^' });
    assert.equal(caret('up', { line: 3, column: 1, message: '' }), null);
    assert.equal(caret('up', { line: 1, column: 9, message: '' }), null);
    assert.equal(caret('up', { message: '' }), null);
});
