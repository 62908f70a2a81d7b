// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CostNode } from '../../api/types.ts';
import { flatten } from './cost.ts';

test('a tree is listed from the top', () => {
    const node = (expr: string, ...parts: CostNode[]): CostNode => ({ expr, rows: 1, calls: 1, totalTime: 1, selfTime: 1, parts });
    const tree = node('a / b', node('a', node('a[5m]')), node('b'));
    assert.deepEqual(flatten(tree).map((r) => `${r.depth} ${r.node.expr}`), ['0 a / b', '1 a', '2 a[5m]', '1 b']);
});
