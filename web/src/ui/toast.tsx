// SPDX-License-Identifier: Apache-2.0

import { signal } from '@preact/signals';

const visibleMs = 3000;
const text = signal('');
let timer: number | undefined;

/** A sentence in the corner for things that need no answer. */
export function toast(message: string): void {
    window.clearTimeout(timer);
    text.value = message;
    timer = window.setTimeout(() => (text.value = ''), visibleMs);
}

export function Toasts() {
    return (
        <div class="toasts" role="status" aria-live="polite">
            {text.value !== '' && <div class="toast">{text.value}</div>}
        </div>
    );
}
