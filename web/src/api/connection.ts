// SPDX-License-Identifier: Apache-2.0
//
// Whether the server answers. A page that goes on showing an old picture must say so: every call reports here,
// the shell shows it, and the refresh clock rests until a probe gets through again.

import { computed, effect, signal } from '@preact/signals';
import { basePath } from '../app/base.ts';

/** Milliseconds since the epoch of the last answer before the silence; null while the server answers. */
export const lostSince = signal<number | null>(null);

const pending = signal(0);

/** True while a request is out; the shell draws it only when it lasts. */
export const busy = computed(() => pending.value > 0);

let lastAnswer = Date.now();

export function answered(): void {
    lastAnswer = Date.now();
    lostSince.value = null;
}

export function unreachable(): void {
    lostSince.value ??= lastAnswer;
}

/** Counts a request for as long as it is out. */
export async function counted<T>(work: Promise<T>): Promise<T> {
    pending.value++;
    try {
        return await work;
    } finally {
        pending.value--;
    }
}

const probeMs = 2000;

/** While the server is silent, asks for a sign of life; `onReturn` runs at the first one. */
export function startProbe(onReturn: () => void): void {
    let timer: number | undefined;
    effect(() => {
        window.clearInterval(timer);
        if (lostSince.value === null) return;
        timer = window.setInterval(() => {
            if (document.hidden) return;
            fetch(`${basePath}-/ready`, { cache: 'no-store' }).then(
                (response) => {
                    if (!response.ok || lostSince.peek() === null) return;
                    answered();
                    onReturn();
                },
                () => undefined,
            );
        }, probeMs);
    });
}
