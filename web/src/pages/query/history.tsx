// SPDX-License-Identifier: Apache-2.0

import { useState } from 'preact/hooks';
import { stored } from '../../app/stored.ts';
import { Popover } from '../../ui/popover.tsx';

const entriesMax = 200;
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
                    <Past
                        onPick={(expr) => {
                            onPick(expr);
                            close();
                        }}
                    />
                )
            }
        </Popover>
    );
}

/** The arrows go from the filter into the list and through it. */
function moveFocus(event: KeyboardEvent & { currentTarget: HTMLElement }) {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    const stops = [...event.currentTarget.querySelectorAll<HTMLElement>('input, button')];
    stops[stops.indexOf(document.activeElement as HTMLElement) + by]?.focus();
}

function Past({ onPick }: { onPick: (expr: string) => void }) {
    const [text, setText] = useState('');
    const words = text.toLowerCase().split(/\s+/);
    const shown = entries.value.filter((e) => words.every((w) => e.toLowerCase().includes(w)));
    return (
        <div class="history" onKeyDown={moveFocus}>
            <input
                class="input history-filter"
                type="search"
                aria-label="Filter the history"
                placeholder="Filter"
                value={text}
                data-autofocus
                onInput={(event) => setText(event.currentTarget.value)}
            />
            {shown.length === 0 && <p class="history-empty dim">No query has these words.</p>}
            <ul class="menu">
                {shown.map((expr) => (
                    <li key={expr}>
                        <button type="button" class="menu-item mono" onClick={() => onPick(expr)}>
                            {expr}
                        </button>
                    </li>
                ))}
            </ul>
        </div>
    );
}
