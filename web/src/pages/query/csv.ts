// SPDX-License-Identifier: Apache-2.0
//
// A query's answer as comma-separated values (RFC 4180): one row a sample, one column a label.

import type { Labels, QueryData, Sample } from '../../api/types.ts';

type Table = Extract<QueryData, { resultType: 'vector' | 'matrix' }>;

const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);

function samplesOf(data: Table): [Labels, readonly Sample[]][] {
    if (data.resultType === 'matrix') return data.result.map((m) => [m.metric, m.values ?? []]);
    return data.result.map((v) => [v.metric, v.value === undefined ? [] : [v.value]]);
}

export function csv(data: Table): string {
    const series = samplesOf(data);
    const names = [...new Set(series.flatMap(([labels]) => Object.keys(labels)))].sort();
    const rows = series.flatMap(([labels, samples]) => {
        const fixed = names.map((n) => labels[n] ?? '');
        return samples.map(([at, value]) => [new Date(at * 1000).toISOString(), ...fixed, value]);
    });
    return [['time', ...names, 'value'], ...rows].map((row) => row.map(quoted).join(',') + '\r\n').join('');
}
