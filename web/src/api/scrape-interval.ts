// SPDX-License-Identifier: Apache-2.0

import { parseDuration } from '../time/duration.ts';
import { targets } from './client.ts';

/** What the server uses when nothing is configured. */
export const defaultScrapeInterval = 5000;

/** Milliseconds between samples of a job, or of the most frequent job when none is named. */
export async function scrapeInterval(signal: AbortSignal, job?: string): Promise<number> {
    const { data } = await targets(signal);
    const chosen = data.activeTargets.filter((t) => job === undefined || t.labels.job === job);
    const known = chosen.map((t) => parseDuration(t.scrapeInterval ?? '')).filter((ms): ms is number => ms !== null && ms > 0);
    return known.length === 0 ? defaultScrapeInterval : Math.min(...known);
}
