// SPDX-License-Identifier: Apache-2.0
//
// Numbers as people read them. Unit names and scaling follow the identifiers dashboards use
// (`bytes`, `percentunit`, `Bps`, ...), so that a panel definition from elsewhere means the same here.
// An unknown name is printed as a suffix: never an error.

export interface Formatted {
    text: string;
    suffix: string;
}

type Formatter = (value: number, decimals?: number) => Formatted;

/** Decimals for three significant digits, and none for whole numbers. */
export function autoDecimals(value: number): number {
    if (value === 0 || Number.isInteger(value)) return 0;
    return Math.max(0, Math.min(15, 2 - Math.floor(Math.log10(Math.abs(value)))));
}

function fixed(value: number, decimals?: number): string {
    if (decimals !== undefined) return value.toFixed(decimals);
    const text = value.toFixed(autoDecimals(value));
    return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function scaled(factor: number, suffixes: readonly string[], offset = 0): Formatter {
    return (value, decimals) => {
        const size = Math.abs(value);
        const raw = size === 0 ? 0 : Math.floor(Math.log(size) / Math.log(factor) + 1e-9);
        const index = Math.min(suffixes.length - 1 - offset, Math.max(-offset, raw));
        return { text: fixed(value / factor ** index, decimals), suffix: suffixes[index + offset] };
    };
}

const withUnit = (prefixes: readonly string[], unit: string) => prefixes.map((p) => p + unit);

const decimalPrefixes = ['f', 'p', 'n', 'µ', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
const binaryPrefixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'];
const countSuffixes = ['', 'K', 'M', 'B', 'T'];

const decimal = (unit: string) => scaled(1000, withUnit(decimalPrefixes, unit), 5);
const binary = (unit: string) => scaled(1024, withUnit(binaryPrefixes, unit));
const count = (unit: string) => scaled(1000, countSuffixes.map((s) => (s + ' ' + unit).trim()));
const plain = (suffix: string): Formatter => (value, decimals) => ({ text: fixed(value, decimals), suffix });

const timeScale: readonly [number, string][] = [
    [1e-9, 'ns'], [1e-6, 'µs'], [1e-3, 'ms'], [1, 's'], [60, 'min'], [3600, 'hour'],
    [86_400, 'day'], [604_800, 'week'], [31_557_600, 'year'],
];

/** `unitSeconds` is the length of what the value counts: 0.001 for milliseconds. */
function duration(unitSeconds: number): Formatter {
    return (value, decimals) => {
        const seconds = value * unitSeconds;
        const size = Math.abs(seconds);
        let chosen = timeScale[size === 0 ? timeScale.findIndex(([s]) => s === unitSeconds) : 0];
        for (const entry of timeScale) if (size !== 0 && size >= entry[0] * (1 - 1e-12)) chosen = entry;
        const amount = seconds / chosen[0];
        const plural = chosen[0] >= 60 && Math.abs(amount) > 1 && chosen[1] !== 'min';
        return { text: fixed(amount, decimals), suffix: chosen[1] + (plural ? 's' : '') };
    };
}

function clock(value: number): Formatted {
    const total = Math.round(Math.abs(value));
    const days = Math.floor(total / 86_400);
    const two = (n: number) => String(n).padStart(2, '0');
    const rest = `${two(Math.floor(total / 3600) % 24)}:${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`;
    return { text: (value < 0 ? '-' : '') + (days > 0 ? `${days} d ${rest}` : rest), suffix: '' };
}

const yesNo = (yes: string, no: string): Formatter => (value) => ({ text: value === 0 ? no : yes, suffix: '' });

const formatters: Record<string, Formatter> = {
    none: plain(''),
    short: scaled(1000, ['', 'K', 'Mil', 'Bil', 'Tri', 'Quadr']),
    percent: plain('%'),
    percentunit: (value, decimals) => plain('%')(value * 100, decimals),
    bytes: binary('B'),
    bits: binary('b'),
    decbytes: decimal('B'),
    decbits: decimal('b'),
    Bps: decimal('B/s'),
    binBps: binary('B/s'),
    bps: decimal('b/s'),
    pps: decimal('p/s'),
    hertz: decimal('Hz'),
    ops: count('ops/s'),
    reqps: count('req/s'),
    iops: count('io/s'),
    eps: count('evt/s'),
    mps: count('msg/s'),
    cps: count('c/s'),
    cpm: count('c/m'),
    ns: duration(1e-9),
    us: duration(1e-6),
    µs: duration(1e-6),
    ms: duration(1e-3),
    s: duration(1),
    m: duration(60),
    h: duration(3600),
    d: duration(86_400),
    dtdhms: clock,
    celsius: plain('°C'),
    bool: yesNo('True', 'False'),
    bool_yes_no: yesNo('Yes', 'No'),
    bool_on_off: yesNo('On', 'Off'),
};

/** Units that are read in powers of 1024: axis lines belong on powers of two there. */
export function isBinaryUnit(unit: string): boolean {
    return unit === 'bytes' || unit === 'bits' || unit === 'binBps';
}

export function formatParts(unit: string, value: number, decimals?: number): Formatted {
    if (Number.isNaN(value)) return { text: 'NaN', suffix: '' };
    if (!Number.isFinite(value)) return { text: value > 0 ? '+Inf' : '-Inf', suffix: '' };
    const format = formatters[unit] ?? plain(unit);
    return format(Object.is(value, -0) ? 0 : value, decimals);
}

/** `1.5 GiB`, `12%`, `3 ms`. */
export function formatValue(unit: string, value: number | null, decimals?: number): string {
    return value === null ? '–' : join(formatParts(unit, value, decimals));
}

/** Decimals that leave about three significant digits, whatever the size of the number. */
function roundedDecimals(size: number): number {
    if (size >= 100 || Number.isInteger(size)) return 0;
    if (size >= 10) return 1;
    if (size >= 0.1) return 2;
    return Math.min(9, 1 - Math.floor(Math.log10(size)));
}

export function roundedParts(unit: string, value: number): Formatted {
    const size = Math.abs(Number(formatParts(unit, value).text));
    return Number.isFinite(size) ? formatParts(unit, value, roundedDecimals(size)) : formatParts(unit, value);
}

/** For legends, tooltips and sentences: three significant digits, `4.17 GiB`. */
export function formatRounded(unit: string, value: number | null): string {
    return value === null ? '–' : join(roundedParts(unit, value));
}

function join({ text, suffix }: Formatted): string {
    if (suffix === '') return text;
    return suffix === '%' || suffix === '°C' ? text + suffix : `${text} ${suffix}`;
}
