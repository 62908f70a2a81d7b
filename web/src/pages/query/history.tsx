// SPDX-License-Identifier: Apache-2.0

import { stored } from '../../app/stored.ts';
import { Popover } from '../../ui/popover.tsx';

const entriesMax = 50;
const entries = stored<string[]>('query-history', []);

/** Latest first, each once. */
export function remember(expr: string): void {
    if (expr.trim() === '') return;
    entries.value = [expr, ...entries.value.filter((e) => e !== expr)].slice(0, entriesMax);
}

export function History({ onPick }: { onPick: (expr: string) => void }) {
    return (
        <Popover icon="history" label="History">
            {(close) =>
                entries.value.length === 0 ? (
                    <p class="history-empty dim">Queries you run appear here.</p>
                ) : (
                    <ul class="menu history">
                        {entries.value.map((expr) => (
                            <li key={expr}>
                                <button
                                    type="button"
                                    class="menu-item mono"
                                    onClick={() => {
                                        onPick(expr);
                                        close();
                                    }}
                                >
                                    {expr}
                                </button>
                            </li>
                        ))}
                    </ul>
                )
            }
        </Popover>
    );
}
