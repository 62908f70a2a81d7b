// SPDX-License-Identifier: Apache-2.0
//
// Instants as text. One 24-hour, year-first form everywhere, in the browser's zone or in UTC.

export type Zone = 'local' | 'utc';

const two = (n: number) => String(n).padStart(2, '0');

interface Fields {
    year: number;
    month: number;
    day: number;
    hour: number;
    minute: number;
    second: number;
    ms: number;
}

function fields(ms: number, zone: Zone): Fields {
    const d = new Date(ms);
    return zone === 'utc'
        ? {
              year: d.getUTCFullYear(), month: d.getUTCMonth() + 1, day: d.getUTCDate(),
              hour: d.getUTCHours(), minute: d.getUTCMinutes(), second: d.getUTCSeconds(), ms: d.getUTCMilliseconds(),
          }
        : {
              year: d.getFullYear(), month: d.getMonth() + 1, day: d.getDate(),
              hour: d.getHours(), minute: d.getMinutes(), second: d.getSeconds(), ms: d.getMilliseconds(),
          };
}

/** `2026-03-01 14:05:09` */
export function formatInstant(ms: number, zone: Zone): string {
    const f = fields(ms, zone);
    return `${f.year}-${two(f.month)}-${two(f.day)} ${two(f.hour)}:${two(f.minute)}:${two(f.second)}`;
}

/** `14:05:09`, for a place where the day is known. */
export function formatClock(ms: number, zone: Zone): string {
    return formatInstant(ms, zone).slice(11);
}

/** Two instants as short as they can be said: the day once if it is the same, seconds only when there are any. */
export function formatSpan(from: number, to: number, zone: Zone): string {
    const cut = (text: string) => (text.endsWith(':00') ? text.slice(0, -3) : text);
    const a = formatInstant(from, zone);
    const b = formatInstant(to, zone);
    return a.slice(0, 10) === b.slice(0, 10) ? `${cut(a)} – ${cut(b.slice(11))}` : `${cut(a)} – ${cut(b)}`;
}

/** Labels of a time axis whose lines are `stepMs` apart; the day is said on the first line and where it changes. */
export function axisLabels(instants: readonly number[], stepMs: number, zone: Zone): string[] {
    let lastDay = '';
    return instants.map((ms) => {
        const f = fields(ms, zone);
        const day = `${two(f.month)}-${two(f.day)}`;
        const changed = day !== lastDay && lastDay !== '';
        lastDay = day;
        if (stepMs >= 28 * 86_400_000) return `${f.year}-${two(f.month)}`;
        if (stepMs >= 86_400_000) return day;
        const clock = `${two(f.hour)}:${two(f.minute)}`;
        const text = stepMs < 1000 ? `${clock}:${two(f.second)}.${String(f.ms).padStart(3, '0')}` : stepMs < 60_000 ? `${clock}:${two(f.second)}` : clock;
        return changed ? `${text}\n${day}` : text;
    });
}

/** `just now`, `12 s ago`, `3 min ago`, `2 h ago`, `4 d ago`. */
export function formatAgo(ms: number, now: number): string {
    const seconds = Math.round((now - ms) / 1000);
    if (seconds < 2) return 'just now';
    if (seconds < 90) return `${seconds} s ago`;
    if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min ago`;
    if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h ago`;
    return `${Math.round(seconds / 86_400)} d ago`;
}
