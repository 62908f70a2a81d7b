// SPDX-License-Identifier: Apache-2.0

import type { CostNode } from '../../api/types.ts';

export interface CostRow {
    node: CostNode;
    depth: number;
}

/** A tree as the rows of a table: each part before those below it. */
export function flatten(node: CostNode, depth = 0): CostRow[] {
    return [{ node, depth }, ...node.parts.flatMap((part) => flatten(part, depth + 1))];
}
