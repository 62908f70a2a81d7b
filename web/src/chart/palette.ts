// SPDX-License-Identifier: Apache-2.0
//
// Eight hues that stay apart for the common kinds of colour blindness (neighbours also differ in lightness),
// one set for each background. After eight the hues repeat with another dash, so colour is never the only sign.
// The colours themselves are CSS variables `--series-0` to `--series-7`.

const hues = 8;
const dashes: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

export interface LineStyle {
    hue: number;
    dash: readonly number[];
}

export function lineStyle(index: number): LineStyle {
    return { hue: index % hues, dash: dashes[Math.floor(index / hues) % dashes.length] };
}

/** The value of a CSS variable now; canvas cannot use variables itself. */
export function cssColour(name: string): string {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
