// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { merge } from './notification-list.ts';

test('events add, renew and take back', () => {
    const a = { text: 'a', date: '1', active: true };
    const b = { text: 'b', date: '2', active: true };
    assert.deepEqual(merge([], a), [a]);
    assert.deepEqual(merge([a], b), [a, b]);
    assert.deepEqual(merge([a, b], { ...a, date: '3' }), [{ ...a, date: '3' }, b]);
    assert.deepEqual(merge([a, b], { ...a, active: false }), [b]);
    assert.deepEqual(merge([b], { ...a, active: false }), [b]);
});
