// SPDX-License-Identifier: Apache-2.0
//
// Reads the columnar answer of range queries (docs/formats/columns.md): values are used where they are in the
// answer, so a chart of a thousand series needs no parsing. Entries also have `values`, made when it is asked for.

import type { Points } from './points.ts';
import type { Envelope, Labels, MatrixEntry, QueryData, Sample } from './types.ts';

export const columnsType = 'application/vnd.nunchi.columns';

const magic = 'NNCOLS01';
const constant = 1;
const headBytes = 40;

const text = new TextDecoder();

/** Throws a RangeError where the answer ends before it should. */
class Cursor {
    readonly view: DataView;
    at = headBytes;

    constructor(readonly buffer: ArrayBuffer) {
        this.view = new DataView(buffer);
    }

    u32(): number {
        this.at += 4;
        return this.view.getUint32(this.at - 4, true);
    }

    bytes(n: number): Uint8Array {
        this.at += n;
        return new Uint8Array(this.buffer, this.at - n, n);
    }

    text(n: number): string {
        return text.decode(this.bytes(n));
    }

    align(): void {
        this.at = (this.at + 7) & ~7;
    }

    doubles(n: number): Float64Array {
        this.at += 8 * n;
        return new Float64Array(this.buffer, this.at - 8 * n, n);
    }
}

interface Grid {
    /** Milliseconds. */
    start: number;
    step: number;
    steps: number;
}

/** The steps that have a bit, in order. */
function presentSteps(bits: Uint8Array, n: number): Uint32Array {
    const out = new Uint32Array(n);
    let k = 0;
    for (let byte = 0; byte < bits.length && k < n; byte++) {
        for (let bit = 0; bit < 8 && k < n; bit++) if ((bits[byte] & (1 << bit)) !== 0) out[k++] = 8 * byte + bit;
    }
    if (k < n) throw new RangeError('fewer steps are marked than there are values');
    return out;
}

function pointsOver(grid: Grid, steps: Uint32Array | null, values: Float64Array, n: number): Points {
    const only = values.length === 1 && n !== 1;
    return {
        length: n,
        time: (i) => (grid.start + grid.step * (steps === null ? i : steps[i])) / 1000,
        value: (i) => values[only ? 0 : i],
    };
}

/** As the JSON answer writes it, but for the exponents of very large and very small numbers. */
function textOf(v: number): string {
    return Number.isFinite(v) || Number.isNaN(v) ? String(v) : v > 0 ? '+Inf' : '-Inf';
}

function entryOf(metric: Labels, points: Points): MatrixEntry {
    let made: Sample[] | undefined;
    return {
        metric,
        points,
        get values() {
            made ??= Array.from({ length: points.length }, (_, i): Sample => [points.time(i), textOf(points.value(i))]);
            return made;
        },
    };
}

function readSeries(c: Cursor, grid: Grid, texts: readonly string[]): MatrixEntry {
    const labels = c.u32();
    const kind = c.u32();
    const n = c.u32();
    c.u32();
    const metric: Labels = {};
    for (let i = 0; i < labels; i++) {
        const name = texts[c.u32()];
        metric[name] = texts[c.u32()];
    }
    const steps = n < grid.steps ? presentSteps(c.bytes((grid.steps + 7) >> 3), n) : null;
    c.align();
    return entryOf(metric, pointsOver(grid, steps, c.doubles(kind === constant && n > 0 ? 1 : n), n));
}

export function decodeColumns(buffer: ArrayBuffer): Envelope<QueryData> {
    const c = new Cursor(buffer);
    if (buffer.byteLength < headBytes || text.decode(new Uint8Array(buffer, 0, 8)) !== magic) throw new RangeError('not a columnar answer');
    const grid = { start: Number(c.view.getBigInt64(8, true)), step: Number(c.view.getBigInt64(16, true)), steps: c.view.getUint32(24, true) };
    const [seriesCount, textCount, envelopeBytes] = [28, 32, 36].map((at) => c.view.getUint32(at, true));
    const envelope = JSON.parse(c.text(envelopeBytes)) as Envelope<QueryData>;
    const texts: string[] = [];
    for (let i = 0; i < textCount; i++) texts.push(c.text(c.u32()));
    c.align();
    const result: MatrixEntry[] = [];
    for (let i = 0; i < seriesCount; i++) result.push(readSeries(c, grid, texts));
    return { ...envelope, data: { ...envelope.data, resultType: 'matrix', result } };
}
