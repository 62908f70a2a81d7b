// SPDX-License-Identifier: Apache-2.0
//
// What this server is, how it was started, what it holds, and what of its configuration it could not honour.

import type { ComponentChildren, FunctionComponent } from 'preact';
import licences from 'virtual:licences';
import { status } from '../../api/client.ts';
import { useResource, type Resource } from '../../api/resource.ts';
import type { Answer, ConfigWarning, NameCount, StorageSizes, TsdbStatus } from '../../api/types.ts';
import { usePageTitle } from '../../app/page-title.ts';
import { formatInstant } from '../../time/format.ts';
import { refreshNow, tick, zone } from '../../time/state.ts';
import { Button } from '../../ui/button.tsx';
import { copy } from '../../ui/copy.ts';
import { Icon } from '../../ui/icon.tsx';
import { Empty, ErrorBox, Loading } from '../../ui/states.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { formatRounded } from '../../units/units.ts';
import { hrefTo, open, page, params } from '../../url-state/location.ts';
import './status.css';

/** One row a tab. Paths of Prometheus' own status pages open theirs. */
const sections: readonly { id: string; text: string; path?: string; view: FunctionComponent }[] = [
    { id: 'overview', text: 'Overview', view: Overview },
    { id: 'storage', text: 'Storage', path: 'tsdb-status', view: Storage },
    { id: 'limits', text: 'Limits', view: Limits },
    { id: 'config', text: 'Configuration', path: 'config', view: Config },
    { id: 'flags', text: 'Flags', path: 'flags', view: Flags },
    { id: 'licences', text: 'Licences', view: Licences },
];

export default function Status() {
    const wanted = params.value.get('tab');
    const active = sections.find((s) => s.id === wanted) ?? sections.find((s) => s.path === page.value) ?? sections[0];
    usePageTitle(active === sections[0] ? 'Status' : `${active.text} · Status`);
    const choose = (id: string) =>
        open('status', new URL(hrefTo('status', (p) => id !== sections[0].id && p.set('tab', id)), window.location.href).searchParams);
    return (
        <main class="page">
            <div class="page-head">
                <h1>Status</h1>
                <Tabs label="Status of" tabs={sections} active={active.id} onSelect={choose} panel="status-panel" />
            </div>
            <div id="status-panel" class="status-panel" role="tabpanel" aria-label={active.text}>
                <active.view />
            </div>
        </main>
    );
}

function useNunchi() {
    return useResource('nunchi', tick.value, status.nunchi, true);
}

function Overview() {
    const { data } = useNunchi();
    return (
        <>
            <Warnings warnings={data?.data.warnings ?? []} />
            <div class="status-pair">
                <Facts title="Server" name="runtime" load={runtimeFacts} />
                <Facts title="Build" name="build" load={status.build} />
            </div>
        </>
    );
}

/** Where the process runs and how it does; sizes are on the storage tab. */
async function runtimeFacts(signal: AbortSignal): Promise<Answer<Record<string, Value>>> {
    const answer = await status.runtime(signal);
    const { startTime, serverTime, ...rest } = answer.data;
    const up = (Date.parse(String(serverTime)) - Date.parse(String(startTime))) / 1000;
    const uptime: Record<string, Value> = Number.isNaN(up) ? {} : { uptime: formatRounded('s', Math.round(up)) };
    return { ...answer, data: { ...uptime, startTime, serverTime, ...rest } };
}

function Card({ title, children, extra }: { title: string; children: ComponentChildren; extra?: ComponentChildren }) {
    return (
        <section class="card" aria-label={title}>
            <header class="card-head">
                <h2>{title}</h2>
                {extra}
            </header>
            {children}
        </section>
    );
}

/** What to show of an answer: itself, that it is on its way, or why it did not come. */
function Loaded<T>({ resource, children }: { resource: Resource<Answer<T>>; children: (data: T) => ComponentChildren }) {
    if (resource.data !== undefined) return <>{children(resource.data.data)}</>;
    if (resource.error === undefined) return <Loading text="" />;
    if (resource.error.status === 404) return <Empty title="This server does not tell" />;
    return <ErrorBox error={resource.error} onRetry={refreshNow} />;
}

function Warnings({ warnings }: { warnings: readonly ConfigWarning[] }) {
    if (warnings.length === 0) return null;
    return (
        <section class="message message-warning" aria-label="Configuration warnings">
            <Icon name="warning" />
            <div class="message-body">
                <h2>{warnings.length === 1 ? 'One setting has' : `${warnings.length} settings have`} no effect</h2>
                <ul class="warnings">
                    {warnings.map((w) => (
                        <li key={place(w) + w.message}>
                            <code>{place(w)}</code> {w.message}
                            {w.hint !== undefined && w.hint !== '' && <p class="dim">{w.hint}</p>}
                        </li>
                    ))}
                </ul>
            </div>
        </section>
    );
}

function place({ file, line, column }: ConfigWarning): string {
    return [file, line, column].filter((p) => p !== undefined && p !== '').join(':');
}

type Value = string | number | boolean;

/** The API tells these under names that mean something else to a reader. */
const renamed: Record<string, string> = { version: 'API of Prometheus', nunchiVersion: 'nunchi' };

/** `lastConfigTime` is `Last config time`, `GOMAXPROCS` stays. */
function words(name: string): string {
    if (name in renamed) return renamed[name];
    if (name === name.toUpperCase()) return name;
    const spaced = name.replace(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
    return spaced[0].toUpperCase() + spaced.slice(1);
}

function shown(name: string, value: Value): string {
    if (typeof value === 'boolean') return value ? 'yes' : 'no';
    const instant = typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : NaN;
    if (!Number.isNaN(instant)) return formatInstant(instant, zone.value);
    return typeof value === 'number' && /bytes/i.test(name) ? formatRounded('bytes', value) : String(value);
}

function Facts({ title, name, load }: { title: string; name: string; load: (s: AbortSignal) => Promise<Answer<Record<string, Value>>> }) {
    const resource = useResource(name, tick.value, load, true);
    const pairs = (data: Record<string, Value>): [string, string][] =>
        Object.entries(data)
            .filter(([, value]) => value !== '')
            .map(([key, value]) => [words(key), shown(key, value)]);
    return (
        <Card title={title}>
            <Loaded resource={resource}>{(data) => <Pairs values={pairs(data)} />}</Loaded>
        </Card>
    );
}

function Pairs({ values, mono = false }: { values: readonly [string, string][]; mono?: boolean }) {
    return (
        <dl class={mono ? 'pairs pairs-mono' : 'pairs'}>
            {values.map(([name, value]) => (
                <div key={name}>
                    <dt>{name}</dt>
                    <dd>{value === '' ? <span class="dim">empty</span> : value}</dd>
                </div>
            ))}
        </dl>
    );
}

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

function Storage() {
    return (
        <>
            <OnDisk />
            <Head />
            <Parts />
        </>
    );
}

type Figure = [name: string, value: string, remark?: string];

function Figures({ values }: { values: readonly Figure[] }) {
    return (
        <dl class="figures">
            {values.map(([name, value, remark]) => (
                <div key={name}>
                    <dt>{name}</dt>
                    <dd class="number">
                        {value}
                        {remark !== undefined && <span class="dim"> {remark}</span>}
                    </dd>
                </div>
            ))}
        </dl>
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

/** A column whose name begins with # is of numbers. */
function DataTable({ columns, rows, note }: { columns: readonly string[]; rows: readonly (readonly ComponentChildren[])[]; note?: string }) {
    const isNumber = columns.map((c) => c.startsWith('#'));
    return (
        <div class="scroll-x">
            <table class="table">
                <thead>
                    <tr>
                        {columns.map((c, i) => (
                            <th key={c} scope="col" class={isNumber[i] ? 'number' : ''}>
                                {c.replace('#', '')}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {rows.map((row, r) => (
                        <tr key={r}>
                            {row.map((cell, i) => (
                                <td key={i} class={isNumber[i] ? 'number' : ''}>
                                    {cell}
                                </td>
                            ))}
                        </tr>
                    ))}
                </tbody>
            </table>
            {note !== undefined && <p class="dim table-note">{note}</p>}
        </div>
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

/** `50000000` is hard to read, `2m` is not a number. */
function limitText(value: string | number): string {
    return /^\d{4,}$/.test(String(value)) ? Number(value).toLocaleString('en') : String(value);
}

function Limits() {
    const resource = useNunchi();
    return (
        <Card title="Limits">
            <p class="card-text dim">What passes one of these is refused with an error that names the setting; what was there before goes on.</p>
            <Loaded resource={resource}>
                {({ limits = [] }) => (
                    <DataTable columns={['Limit', '#Value', 'Setting']} rows={limits.map((l) => [l.name, limitText(l.value), <code key={l.name}>{l.setting}</code>])} />
                )}
            </Loaded>
        </Card>
    );
}

function Config() {
    const resource = useResource('config', tick.value, status.config, true);
    const yaml = resource.data?.data.yaml ?? '';
    const { data } = useNunchi();
    return (
        <>
            <Warnings warnings={data?.data.warnings ?? []} />
            <Card title="Configuration" extra={yaml !== '' && <Button kind="plain" icon="copy" label="Copy the configuration" onClick={() => copy(yaml, 'Configuration')} />}>
                <Loaded resource={resource}>
                    {() =>
                        yaml === '' ? (
                            <Empty title="No configuration file">The built-in defaults watch this host and this server.</Empty>
                        ) : (
                            <pre class="config" tabIndex={0} aria-label="Configuration in use">
                                {yaml}
                            </pre>
                        )
                    }
                </Loaded>
            </Card>
        </>
    );
}

function Flags() {
    const resource = useResource('flags', tick.value, status.flags, true);
    const sorted = (data: Record<string, string>): [string, string][] =>
        Object.entries(data)
            .sort(([a], [b]) => a.localeCompare(b))
            .map(([name, value]) => [`--${name}`, value]);
    return (
        <Card title="Command-line flags">
            <Loaded resource={resource}>{(data) => <Pairs mono values={sorted(data)} />}</Loaded>
        </Card>
    );
}

function Licences() {
    return (
        <Card title="Third-party software in this page">
            <ul class="licences">
                {licences.map((l) => (
                    <li key={l.name}>
                        {l.name} <span class="dim">{`${l.version} · ${l.licence}`}</span>
                    </li>
                ))}
            </ul>
        </Card>
    );
}
