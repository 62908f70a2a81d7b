// SPDX-License-Identifier: Apache-2.0
//
// The floats of a series, whichever form they came in: pairs of time and text (JSON), or columns.

import type { MatrixEntry, Sample } from './types.ts';

export interface Points {
    readonly length: number;
    /** Seconds since the epoch; rising. */
    time(i: number): number;
    value(i: number): number;
}

export function pointsOf(entry: MatrixEntry): Points {
    if (entry.points !== undefined) return entry.points;
    const samples: readonly Sample[] = entry.values ?? [];
    return { length: samples.length, time: (i) => samples[i][0], value: (i) => Number(samples[i][1]) };
}
