// SPDX-License-Identifier: Apache-2.0

import { computed, effect, signal } from '@preact/signals';
import { stored } from './stored.ts';

export type Theme = 'auto' | 'dark' | 'light';

export const theme = stored<Theme>('theme', 'auto');

const system = window.matchMedia('(prefers-color-scheme: light)');
const systemIsLight = signal(system.matches);
system.addEventListener('change', (e) => (systemIsLight.value = e.matches));

/** What is on screen; charts are painted again when it changes. */
export const scheme = computed<'dark' | 'light'>(() =>
    theme.value === 'auto' ? (systemIsLight.value ? 'light' : 'dark') : theme.value,
);

export function applyTheme(): void {
    effect(() => {
        document.documentElement.dataset.theme = scheme.value;
    });
}

export function nextTheme(): void {
    const order: Theme[] = ['auto', 'dark', 'light'];
    theme.value = order[(order.indexOf(theme.value) + 1) % order.length];
}
