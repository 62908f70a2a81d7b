// SPDX-License-Identifier: Apache-2.0
//
// What the Prometheus HTTP API v1 answers, as far as the UI reads it.

import type { Points } from './points.ts';

export type Labels = Record<string, string>;

/** [seconds since the epoch, value as text] */
export type Sample = [number, string];

export interface Histogram {
    count: string;
    sum: string;
}

export interface VectorEntry {
    metric: Labels;
    value?: Sample;
    histogram?: [number, Histogram];
}

export interface MatrixEntry {
    metric: Labels;
    /** Of a columnar answer; pointsOf gives them in either case. */
    points?: Points;
    values?: Sample[];
    histograms?: [number, Histogram][];
}

export interface QueryStats {
    timings?: { evalTotalTime?: number };
    samples?: { totalQueryableSamples?: number };
}

/** What a part of an expression did; times in seconds, `rows` are series. */
export interface CostNode {
    expr: string;
    rows: number;
    calls: number;
    totalTime: number;
    selfTime: number;
    parts: CostNode[];
}

export type QueryData = (
    | { resultType: 'vector'; result: VectorEntry[] }
    | { resultType: 'matrix'; result: MatrixEntry[] }
    | { resultType: 'scalar' | 'string'; result: Sample }
) & { stats?: QueryStats; explain?: CostNode };

export interface Envelope<T> {
    status: 'success' | 'error';
    data?: T;
    errorType?: string;
    error?: string;
    warnings?: string[];
    infos?: string[];
}

export interface Answer<T> {
    data: T;
    warnings: string[];
    infos: string[];
    /** Round trip as this browser saw it, milliseconds. */
    elapsed: number;
}

export interface Metadata {
    type: string;
    help: string;
    unit: string;
}

export interface ActiveTarget {
    discoveredLabels: Labels;
    labels: Labels;
    scrapePool: string;
    scrapeUrl: string;
    lastError: string;
    lastScrape: string;
    lastScrapeDuration: number;
    health: 'up' | 'down' | 'unknown';
    scrapeInterval?: string;
    scrapeTimeout?: string;
}

export interface Targets {
    activeTargets: ActiveTarget[];
    droppedTargets?: { discoveredLabels: Labels; scrapePool?: string }[];
}

export interface NameCount {
    name: string;
    value: number;
}

export interface TsdbStatus {
    headStats?: Record<string, number>;
    seriesCountByMetricName?: NameCount[];
    labelValueCountByLabelName?: NameCount[];
    memoryInBytesByLabelName?: NameCount[];
    seriesCountByLabelValuePair?: NameCount[];
}

export interface ConfigWarning {
    file?: string;
    line?: number;
    column?: number;
    message: string;
    hint?: string;
}

export interface StorageSizes {
    walBytes: number;
    parts: number;
    partBytes: number;
    partSamples: number;
    headSamples: number;
    headBytes: number;
}

export interface Block {
    minTime: number;
    maxTime: number;
    stats: { numSamples: number; numSeries: number; numBytes?: number };
}

export interface NunchiStatus {
    warnings?: ConfigWarning[];
    storage?: StorageSizes;
    /** `used` of `max` where it is counted. */
    limits?: { name: string; value: string | number; setting?: string; used?: number; max?: number }[];
}
