// SPDX-License-Identifier: Apache-2.0
//
// What this server is, how it was started, what it holds, and what of its configuration it could not honour.

import type { FunctionComponent } from 'preact';
import licences from 'virtual:licences';
import { status } from '../../api/client.ts';
import { useResource } from '../../api/resource.ts';
import type { Answer, ConfigWarning, NunchiStatus } from '../../api/types.ts';
import { usePageTitle } from '../../app/page-title.ts';
import { formatInstant } from '../../time/format.ts';
import { tick, zone } from '../../time/state.ts';
import { Button } from '../../ui/button.tsx';
import { copy } from '../../ui/copy.ts';
import { Icon } from '../../ui/icon.tsx';
import { Empty } from '../../ui/states.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { formatRounded } from '../../units/units.ts';
import { hrefTo, open, page, params } from '../../url-state/location.ts';
import { Card, DataTable, Loaded, useNunchi, words } from './cards.tsx';
import { Queries } from './queries.tsx';
import { Storage } from './storage.tsx';
import './status.css';

/** One row a tab. Paths of Prometheus' own status pages open theirs. */
const sections: readonly { id: string; text: string; path?: string; view: FunctionComponent }[] = [
    { id: 'overview', text: 'Overview', view: Overview },
    { id: 'storage', text: 'Storage', path: 'tsdb-status', view: Storage },
    { id: 'queries', text: 'Queries', view: Queries },
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

/** `50000000` is hard to read, `2m` is not a number. */
function limitText(value: string | number): string {
    return /^\d{4,}$/.test(String(value)) ? Number(value).toLocaleString('en') : String(value);
}

function Used({ limit }: { limit: NonNullable<NunchiStatus['limits']>[number] }) {
    const { used, max = 0, value } = limit;
    if (used === undefined) return <span class="dim">–</span>;
    return (
        <div class="used">
            {formatRounded(/iB$/.test(String(value)) ? 'bytes' : 'none', used)}
            <meter class="bar" min={0} max={max} low={max * 0.8} high={max * 0.8} optimum={0} value={used} aria-label={`${limit.name}: used`} />
        </div>
    );
}

function Limits() {
    const resource = useNunchi();
    return (
        <Card title="Limits">
            <p class="card-text dim">What passes one of these is refused with an error that names the setting; what was there before goes on.</p>
            <Loaded resource={resource}>
                {({ limits = [] }) => (
                    <DataTable
                        columns={['Limit', '#Used now', '#Value', 'Setting']}
                        rows={limits.map((l) => [l.name, <Used key={l.name} limit={l} />, limitText(l.value), <code key={l.name}>{l.setting}</code>])}
                    />
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
