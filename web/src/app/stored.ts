// SPDX-License-Identifier: Apache-2.0

import { effect, signal, type Signal } from '@preact/signals';

/** A signal that is remembered in local storage; where storage is refused it lasts for the visit. */
export function stored<T>(name: string, initial: T): Signal<T> {
    const key = `nunchi.${name}`;
    const value = signal(read(key, initial));
    effect(() => {
        try {
            window.localStorage.setItem(key, JSON.stringify(value.value));
        } catch {
            // Private windows may refuse: the setting then lasts until the tab closes.
        }
    });
    return value;
}

function read<T>(key: string, initial: T): T {
    try {
        const text = window.localStorage.getItem(key);
        return text === null ? initial : (JSON.parse(text) as T);
    } catch {
        return initial;
    }
}
