// SPDX-License-Identifier: Apache-2.0

export interface Notification {
    text: string;
    /** RFC 3339 */
    date: string;
    /** False in an event that takes it back. */
    active: boolean;
}

/** The list after an event: each text is in it once, in the order of the first mention. */
export function merge(list: readonly Notification[], event: Notification): readonly Notification[] {
    if (!event.active) return list.filter((n) => n.text !== event.text);
    if (!list.some((n) => n.text === event.text)) return [...list, event];
    return list.map((n) => (n.text === event.text ? event : n));
}
