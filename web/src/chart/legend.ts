// SPDX-License-Identifier: Apache-2.0
//
// What a series is called.

import type { Labels } from '../api/types.ts';

const quote = (text: string) => JSON.stringify(text);

/** `up{instance="a", job="node"}`, the way it would be typed in a query. */
export function seriesName(labels: Labels): string {
    const { __name__: name = '', ...rest } = labels;
    const pairs = Object.entries(rest).map(([k, v]) => `${k}=${quote(v)}`);
    if (pairs.length === 0) return name === '' ? '{}' : name;
    return `${name}{${pairs.join(', ')}}`;
}

/** `{{device}} read`: a label in double braces is replaced by its value, or by nothing when the series does not have it. */
export function fillTemplate(template: string, labels: Labels): string {
    return template.replace(/\{\{\s*([^}]*?)\s*\}\}/g, (_, name: string) => labels[name] ?? '');
}

/** A word says what it is; a bare number (`0`) or nothing at all needs the label's name before it. */
const speaks = (value: string) => /\p{L}/u.test(value);

/**
 * Names for a set of series that leave out what all of them share: one differing label is its value, several
 * are a list, and a lone series keeps its full name.
 */
export function shortNames(all: readonly Labels[]): string[] {
    if (all.length < 2) return all.map(seriesName);
    const names = [...new Set(all.flatMap((l) => Object.keys(l)))];
    const varying = names.filter((n) => all.some((l) => l[n] !== all[0][n]));
    return all.map((labels) => {
        if (varying.length === 1 && speaks(labels[varying[0]] ?? '')) return labels[varying[0]];
        if (varying.length === 1 && labels[varying[0]] !== undefined) return `${varying[0]} ${labels[varying[0]]}`;
        return seriesName(Object.fromEntries(Object.entries(labels).filter(([n]) => varying.includes(n))));
    });
}
