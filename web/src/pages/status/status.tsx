// SPDX-License-Identifier: Apache-2.0
//
// What this server is, how it was started, what it holds, and what of its configuration it could not honour.

import type { ComponentChildren } from 'preact';
import licences from 'virtual:licences';
import { status } from '../../api/client.ts';
import { useResource, type Resource } from '../../api/resource.ts';
import type { Answer, ConfigWarning, NameCount, NunchiStatus } from '../../api/types.ts';
import { usePageTitle } from '../../app/page-title.ts';
import { formatInstant } from '../../time/format.ts';
import { refreshNow, tick, zone } from '../../time/state.ts';
import { Button } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Empty, ErrorBox, Loading } from '../../ui/states.tsx';
import { toast } from '../../ui/toast.tsx';
import { formatRounded } from '../../units/units.ts';
import './status.css';

export default function Status() {
    usePageTitle('Status');
    const nunchi = useResource('nunchi', tick.value, status.nunchi, true);
    return (
        <main class="page">
            <h1>Status</h1>
            <Warnings warnings={nunchi.data?.data.warnings ?? []} />
            <div class="status-pair">
                <Facts title="Build" name="build" load={status.build} />
                <Facts title="Runtime" name="runtime" load={status.runtime} />
            </div>
            <Storage />
            <Limits limits={nunchi.data?.data.limits ?? []} />
            <Config />
            <Flags />
            <Licences />
        </main>
    );
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
    const resource = useResource('tsdb', tick.value, status.tsdb, true);
    return (
        <Card title="Metrics storage">
            <Loaded resource={resource}>
                {(data) => (
                    <>
                        <dl class="figures">
                            {Object.entries(data.headStats ?? {}).map(([name, value]) => (
                                <div key={name}>
                                    <dt>{headNames[name] ?? words(name)}</dt>
                                    <dd class="number">{headValue(name, value)}</dd>
                                </div>
                            ))}
                        </dl>
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

function Limits({ limits }: { limits: NonNullable<NunchiStatus['limits']> }) {
    if (limits.length === 0) return null;
    return (
        <Card title="Limits">
            <div class="scroll-x">
                <table class="table">
                    <thead>
                        <tr>
                            <th scope="col">Limit</th>
                            <th scope="col" class="number">
                                Value
                            </th>
                            <th scope="col">Setting</th>
                        </tr>
                    </thead>
                    <tbody>
                        {limits.map((l) => (
                            <tr key={l.name}>
                                <th scope="row">{l.name}</th>
                                <td class="number">{l.value}</td>
                                <td class="mono">{l.setting}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </Card>
    );
}

function Config() {
    const resource = useResource('config', tick.value, status.config, true);
    const yaml = resource.data?.data.yaml ?? '';
    const copy = () => {
        void navigator.clipboard.writeText(yaml).then(
            () => toast('Configuration copied'),
            () => toast('The browser did not allow copying'),
        );
    };
    return (
        <Card title="Configuration" extra={yaml !== '' && <Button kind="plain" icon="copy" label="Copy the configuration" onClick={copy} />}>
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
