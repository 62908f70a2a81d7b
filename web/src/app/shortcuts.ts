// SPDX-License-Identifier: Apache-2.0
//
// Keyboard chords: `g h`, `t left`, `/`. One table is both the behaviour and the help dialog.

export interface Shortcut {
    keys: readonly string[];
    does: string;
    run: () => void;
}

/** The second key of a chord has to come within this time. */
const chordMs = 1200;

function isTyping(target: EventTarget | null): boolean {
    if (!(target instanceof HTMLElement)) return false;
    return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
}

const names: Record<string, string> = { ArrowLeft: 'left', ArrowRight: 'right' };

/** Listens until the returned function is called. */
export function listen(table: readonly Shortcut[]): () => void {
    let pending = '';
    let since = 0;
    const onKey = (event: KeyboardEvent) => {
        // The editor lives in a shadow root: its host is the event's target, the true one is in the path.
        if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.composedPath()[0] ?? null)) return;
        if (document.querySelector('dialog[open]') !== null) return;
        const key = names[event.key] ?? event.key;
        const now = performance.now();
        const typed = pending !== '' && now - since < chordMs ? [pending, key] : [key];
        pending = '';
        const hit = table.find((s) => s.keys.length === typed.length && s.keys.every((k, i) => k === typed[i]));
        if (hit !== undefined) {
            event.preventDefault();
            hit.run();
        } else if (table.some((s) => s.keys.length > 1 && s.keys[0] === key)) {
            pending = key;
            since = now;
        }
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
}
