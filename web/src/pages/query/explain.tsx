// SPDX-License-Identifier: Apache-2.0
//
// Where the time of a query goes: the expression as a tree, each part with the series it gave and its share of
// the time. The whole range is evaluated at once, so the times are of all steps together.

import type { CostNode } from '../../api/types.ts';
import { Empty } from '../../ui/states.tsx';
import { formatRounded } from '../../units/units.ts';
import { flatten } from './cost.ts';

export function Explain({ cost }: { cost: CostNode | undefined }) {
    if (cost === undefined) return <Empty title="This server does not explain queries" />;
    const whole = cost.totalTime;
    return (
        <div class="scroll-x">
            <table class="table explain">
                <caption class="visually-hidden">Cost of each part of the query</caption>
                <thead>
                    <tr>
                        <th scope="col">Part</th>
                        <th scope="col" class="number">
                            Series
                        </th>
                        <th scope="col" class="number">
                            Own time
                        </th>
                        <th scope="col" class="number">
                            With its parts
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {flatten(cost).map(({ node, depth }, i) => (
                        <tr key={i}>
                            <th scope="row" class="mono">
                                <span class="explain-part" style={{ marginLeft: `${depth * 18}px` }}>
                                    {node.expr}
                                    {node.calls > 1 && <span class="dim"> × {node.calls.toLocaleString('en')}</span>}
                                </span>
                            </th>
                            <td class="number">{node.rows.toLocaleString('en')}</td>
                            <td class="number">
                                {formatRounded('s', node.selfTime)}
                                <progress class="explain-share" max={whole > 0 ? whole : 1} value={node.selfTime} aria-hidden="true" />
                            </td>
                            <td class="number">{formatRounded('s', node.totalTime)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}
