// SPDX-License-Identifier: Apache-2.0
//
// What is stored: on disk, in memory, and which metrics and labels make most of it.

import { status } from '../../api/client.ts';
import { useResource } from '../../api/resource.ts';
import type { NameCount, StorageSizes, TsdbStatus } from '../../api/types.ts';
import { formatInstant } from '../../time/format.ts';
import { tick, zone } from '../../time/state.ts';
import { Empty } from '../../ui/states.tsx';
import { formatRounded } from '../../units/units.ts';
import { Card, DataTable, Figures, Loaded, useNunchi, words, type Figure } from './cards.tsx';

const headNames: Record<string, string> = {
    numSeries: 'Series',
    numLabelPairs: 'Label pairs',
    chunkCount: 'Chunks',
    minTime: 'Oldest sample in memory',
    maxTime: 'Newest sample',
};

function headValue(name: string, value: number): string {
    if (name !== 'minTime' && name !== 'maxTime') return value.toLocaleString('en');
    return value > 0 && value < 8.64e15 ? formatInstant(value, zone.value) : '–';
}

const rankings = [
    { key: 'seriesCountByMetricName', title: 'Series by metric', unit: 'short' },
    { key: 'labelValueCountByLabelName', title: 'Values by label', unit: 'short' },
    { key: 'seriesCountByLabelValuePair', title: 'Series by label pair', unit: 'short' },
    { key: 'memoryInBytesByLabelName', title: 'Memory by label', unit: 'bytes' },
] as const;

export function Storage() {
    return (
        <>
            <OnDisk />
            <Head />
            <Parts />
        </>
    );
}

function OnDisk() {
    const resource = useNunchi();
    const runtime = useResource('runtime', tick.value, status.runtime, true);
    const figures = ({ walBytes, parts, partBytes, partSamples }: StorageSizes): Figure[] => [
        ['On disk', formatRounded('bytes', walBytes + partBytes)],
        ['Sealed samples', formatRounded('short', partSamples), partSamples > 0 ? `in ${parts} ${parts === 1 ? 'part' : 'parts'}` : ''],
        ['Bytes a sample', partSamples > 0 ? (partBytes / partSamples).toFixed(2) : '–'],
        ['Write-ahead log', formatRounded('bytes', walBytes)],
        ['Kept for', String(runtime.data?.data.storageRetention ?? '–')],
    ];
    return (
        <Card title="On disk">
            <Loaded resource={resource}>{(data) => (data.storage === undefined ? <Empty title="This server does not tell" /> : <Figures values={figures(data.storage)} />)}</Loaded>
        </Card>
    );
}

function Head() {
    const resource = useResource('tsdb', tick.value, status.tsdb, true);
    const memory = useNunchi().data?.data.storage;
    const figures = (data: TsdbStatus): Figure[] => [
        ...Object.entries(data.headStats ?? {}).map(([name, value]): Figure => [headNames[name] ?? words(name), headValue(name, value)]),
        ...(memory === undefined ? [] : [['Samples in memory', formatRounded('short', memory.headSamples), formatRounded('bytes', memory.headBytes)] as Figure]),
    ];
    return (
        <Card title="Recent samples">
            <Loaded resource={resource}>
                {(data) => (
                    <>
                        <Figures values={figures(data)} />
                        <div class="rankings">
                            {rankings.map((r) => (
                                <Ranking key={r.key} title={r.title} unit={r.unit} list={data[r.key] ?? []} />
                            ))}
                        </div>
                    </>
                )}
            </Loaded>
        </Card>
    );
}

const partsShown = 100;

function Parts() {
    const resource = useResource('blocks', tick.value, status.blocks, true);
    return (
        <Card title="Parts">
            <Loaded resource={resource}>
                {({ blocks }) =>
                    blocks.length === 0 ? (
                        <Empty title="No part is sealed yet">Recent samples are in memory and in the write-ahead log; parts follow within hours.</Empty>
                    ) : (
                        <DataTable
                            columns={['From', 'To', '#Samples', '#Series', '#Size', '#Bytes a sample']}
                            rows={[...blocks]
                                .sort((a, b) => b.maxTime - a.maxTime)
                                .slice(0, partsShown)
                                .map((b) => [
                                    formatInstant(b.minTime, zone.value),
                                    formatInstant(b.maxTime, zone.value),
                                    b.stats.numSamples.toLocaleString('en'),
                                    b.stats.numSeries.toLocaleString('en'),
                                    formatRounded('bytes', b.stats.numBytes ?? null),
                                    b.stats.numBytes === undefined || b.stats.numSamples === 0 ? '–' : (b.stats.numBytes / b.stats.numSamples).toFixed(2),
                                ])}
                            {...(blocks.length > partsShown && { note: `The ${partsShown} newest of ${blocks.length}.` })}
                        />
                    )
                }
            </Loaded>
        </Card>
    );
}

function Ranking({ title, unit, list }: { title: string; unit: string; list: readonly NameCount[] }) {
    if (list.length === 0) return null;
    const most = Math.max(...list.map((e) => e.value));
    return (
        <div>
            <h3>{title}</h3>
            <ol class="ranking">
                {list.map((e) => (
                    <li key={e.name}>
                        <span class="ranking-name mono">{e.name}</span>
                        <span class="number">{formatRounded(unit, e.value)}</span>
                        <progress max={most} value={e.value} aria-hidden="true" />
                    </li>
                ))}
            </ol>
        </div>
    );
}
