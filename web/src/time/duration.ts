// SPDX-License-Identifier: Apache-2.0
//
// Durations in Prometheus' notation: `1h30m`, `15s`, `250ms`. Units go from large to small and each
// appears once, as https://prometheus.io/docs/prometheus/latest/querying/basics/ defines.

const units: readonly [string, number][] = [
    ['y', 365 * 86_400_000],
    ['w', 7 * 86_400_000],
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
];

const shape = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Milliseconds, or null when the text is not a duration. */
export function parseDuration(text: string): number | null {
    const trimmed = text.trim();
    if (trimmed === '0') return 0;
    const match = shape.exec(trimmed);
    if (trimmed === '' || match === null) return null;
    return units.reduce((sum, [, ms], i) => sum + Number(match[i + 1] ?? 0) * ms, 0);
}

/** The shortest exact text: 5400000 is `1h30m`. Weeks and years are only used alone, because `8d` reads better than `1w1d`. */
export function formatDuration(ms: number): string {
    let rest = Math.round(ms);
    if (rest <= 0) return '0s';
    let text = '';
    for (const [unit, size] of units) {
        const coarse = unit === 'y' || unit === 'w';
        if (coarse && rest % size !== 0) continue;
        const count = Math.floor(rest / size);
        if (count === 0) continue;
        text += `${count}${unit}`;
        rest -= count * size;
    }
    return text;
}
