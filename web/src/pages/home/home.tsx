// SPDX-License-Identifier: Apache-2.0
//
// The start page: this host and this server at a glance. It knows which host to show, since when there is
// data and how often it comes; everything else is in the tables of panels.ts.

import { queryInstant, queryRange, targets } from '../../api/client.ts';
import { defaultScrapeInterval, scrapeInterval } from '../../api/scrape-interval.ts';
import { useResource } from '../../api/resource.ts';
import type { ActiveTarget } from '../../api/types.ts';
import { Panel, type PanelContext } from '../../chart/panel.tsx';
import { isLive, type Span } from '../../time/range.ts';
import { currentSpan, range, refreshNow, tick } from '../../time/state.ts';
import { chooseStep } from '../../time/step.ts';
import { Icon } from '../../ui/icon.tsx';
import { ErrorBox, Notice } from '../../ui/states.tsx';
import { Select } from '../../ui/select.tsx';
import { formatRounded } from '../../units/units.ts';
import { hrefTo, params, updateParams } from '../../url-state/location.ts';
import { usePageTitle } from '../../app/page-title.ts';
import { hostPanels, hostTiles, selfPanels } from './panels.ts';
import { Tile } from './tile.tsx';
import './home.css';

/** Never zoom in further than this on a server that has just begun: a chart of ten seconds says nothing. */
const narrowest = 60_000;

export default function Home() {
    usePageTitle('Home');
    const found = useResource('hosts', tick.value, (s) => jobsWith('node_load1', 'node', s), true);
    const self = useResource('self', tick.value, (s) => jobsWith('nunchi_tsdb_head_series', 'nunchi', s), true);
    const hosts = found.data ?? [];
    const wanted = params.value.get('var-instance');
    const host = hosts.find((h) => h.instance === wanted) ?? hosts[0];
    const interval = useResource(`interval ${host?.job}`, 0, (s) => scrapeInterval(s, host?.job ?? 'node'), true);

    if (found.error !== undefined && found.data === undefined) {
        return (
            <main class="page">
                <ErrorBox error={found.error} onRetry={refreshNow} />
            </main>
        );
    }
    return <Overview host={host} hosts={hosts} asked={found.data !== undefined} self={self.data?.[0]} scrape={interval.data ?? defaultScrapeInterval} />;
}

interface Host {
    instance: string;
    job: string;
}

const selectorOf = ({ job, instance }: Host) => `job=${JSON.stringify(job)},instance=${JSON.stringify(instance)}`;

/** Who has the metric, by name. An instance that several jobs scrape is shown once, as our own job sees it. */
async function jobsWith(metric: string, own: string, signal: AbortSignal): Promise<Host[]> {
    const { data } = await queryInstant(`count by (instance, job) (${metric})`, currentSpan().to, signal);
    const entries = data.resultType === 'vector' ? data.result : [];
    const jobs = new Map<string, string>();
    for (const { metric } of entries) {
        const { instance = '', job = '' } = metric;
        if (!jobs.has(instance) || job === own) jobs.set(instance, job);
    }
    return [...jobs]
        .map(([instance, job]) => ({ instance, job }))
        .sort((a, b) => Number(b.job === own) - Number(a.job === own) || a.instance.localeCompare(b.instance));
}

/** The first instant with data in the range, to a few seconds; null when there is none. */
function useDataStart(expr: string, span: Span, scrape: number) {
    const width = span.to - span.from;
    return useResource(
        `start ${expr} ${width}`,
        tick.value,
        async (signal) => {
            const step = Math.max(chooseStep(width, 240, scrape), 1000);
            const { data } = await queryRange(expr, span.from, span.to, step, signal);
            const first = data.resultType === 'matrix' ? data.result.map((m) => m.values?.[0]?.[0] ?? Infinity) : [];
            return first.length === 0 ? null : Math.min(...first) * 1000 - step;
        },
        true,
    );
}

interface OverviewProps {
    host: Host | undefined;
    hosts: readonly Host[];
    /** Whether `hosts` is an answer yet. */
    asked: boolean;
    /** Whose metrics are this server's own, if it watches itself or somebody scrapes it. */
    self: Host | undefined;
    scrape: number;
}

function Overview({ host, hosts, asked: answered, self, scrape }: OverviewProps) {
    const asked = currentSpan();
    const selector = host === undefined ? 'job="node"' : selectorOf(host);
    const expected = useResource('targets', tick.value, (s) => targets(s), true).data?.data.activeTargets;
    const sign = host === undefined && self !== undefined ? `nunchi_tsdb_head_series{${selectorOf(self)}}` : `node_load1{${selector}}`;
    const start = useDataStart(`count(${sign})`, asked, scrape);
    const span = fit(asked, start.data ?? null);
    const fitted = span.from > asked.from;
    const context: PanelContext = {
        variables: { host: selector, self: self === undefined ? 'job="nunchi"' : selectorOf(self) },
        span,
        scrapeInterval: scrape,
        young: isLive(range.value) && (start.data === undefined || start.data === null || asked.to - start.data < 12 * scrape),
    };
    const ownJob = (name: string) => expected === undefined || expected.some((t) => t.scrapePool === name && t.scrapeUrl === '');
    const hostless = answered && host === undefined && !ownJob('node');
    return (
        <main class="page">
            {fitted && (
                <p class="since">
                    Data begins {formatRounded('s', Math.max(1, Math.round((asked.to - (start.data ?? asked.to)) / 1000)))} ago: the charts show that part and widen to the chosen range as it fills.
                </p>
            )}
            {hostless ? <NoHost targets={expected ?? []} /> : <HostView {...{ host, hosts, context }} />}
            {(self !== undefined || ownJob('nunchi')) && (
                <>
                    <h2 class="section-title">nunchi itself</h2>
                    <div class="panels">
                        {selfPanels.map((def) => (
                            <Panel key={def.id} def={def} context={context} />
                        ))}
                    </div>
                </>
            )}
        </main>
    );
}

/** A server that runs somebody's configuration need not know any host: say where what it does know is. */
function NoHost({ targets: all }: { targets: readonly ActiveTarget[] }) {
    const up = all.filter((t) => t.health === 'up').length;
    const down = all.filter((t) => t.health === 'down').length;
    const places = [
        { to: 'targets', icon: 'targets', title: all.length === 0 ? 'Nothing is scraped yet' : `${up.toLocaleString('en')} of ${all.length.toLocaleString('en')} targets up`, text: down > 0 ? `${down.toLocaleString('en')} down: the page says why.` : 'What is scraped, and how it answers.' },
        { to: 'explore', icon: 'list', title: 'Metrics', text: 'Everything that is stored, with type, help and labels.' },
        { to: 'query', icon: 'query', title: 'Query', text: 'PromQL, as a graph or a table.' },
    ] as const;
    return (
        <>
            <div class="page-head">
                <h1>Home</h1>
            </div>
            <ul class="places">
                {places.map((p) => (
                    <li key={p.to}>
                        <a class="place" href={hrefTo(p.to)}>
                            <Icon name={p.icon} size={22} />
                            <span class="place-title">{p.title}</span>
                            <span class="dim">{p.text}</span>
                        </a>
                    </li>
                ))}
            </ul>
            <Notice kind="info">
                <p>
                    No host metrics are stored in this range. To see this machine here start the server with <code>--watch.host</code>; for others let a job scrape their node_exporter.
                </p>
            </Notice>
        </>
    );
}

interface HostViewProps extends Pick<OverviewProps, 'host' | 'hosts'> {
    context: PanelContext;
}

function HostView({ host, hosts, context }: HostViewProps) {
    return (
        <>
            <div class="page-head">
                <h1>{host?.instance ?? 'This host'}</h1>
                <HostFacts context={context} />
                {hosts.length > 1 && (
                    <Select
                        label="Instance"
                        showLabel
                        value={host?.instance ?? ''}
                        options={hosts.map((h) => ({ value: h.instance, text: h.instance }))}
                        onChange={(value) => updateParams((p) => p.set('var-instance', value))}
                    />
                )}
            </div>
            <div class="tiles">
                {hostTiles.map((def) => (
                    <Tile key={def.id} def={def} context={context} />
                ))}
            </div>
            <div class="panels">
                {hostPanels.map((def) => (
                    <Panel key={def.id} def={def} context={context} />
                ))}
            </div>
        </>
    );
}

/** Right after the start an hour would be an empty chart with a dot at its edge: show the part that has data. */
function fit(asked: Span, start: number | null): Span {
    if (start === null || !isLive(range.value) || start <= asked.from + (asked.to - asked.from) * 0.1) return asked;
    return { from: Math.max(asked.from, Math.min(start, asked.to - narrowest)), to: asked.to };
}

function HostFacts({ context }: { context: PanelContext }) {
    const { host } = context.variables;
    const { data } = useResource(
        `facts ${host}`,
        tick.value,
        async (signal) => {
            const ask = (expr: string) => queryInstant(expr, context.span.to, signal);
            const [uname, uptime, cores, memory] = await Promise.all([
                ask(`node_uname_info{${host}}`),
                ask(`node_time_seconds{${host}} - node_boot_time_seconds{${host}}`),
                ask(`count(node_cpu_seconds_total{${host},mode="idle"})`),
                ask(`node_memory_MemTotal_bytes{${host}}`),
            ]);
            const first = (a: typeof uname) => (a.data.resultType === 'vector' ? a.data.result[0] : undefined);
            const number = (a: typeof uname) => Number(first(a)?.value?.[1] ?? NaN);
            return { labels: first(uname)?.metric, uptime: number(uptime), cores: number(cores), memory: number(memory) };
        },
        true,
    );
    if (data === undefined) return null;
    const facts = [
        data.labels !== undefined && `${data.labels.sysname} ${data.labels.release} ${data.labels.machine}`,
        !Number.isNaN(data.cores) && `${data.cores} ${data.cores === 1 ? 'core' : 'cores'}`,
        !Number.isNaN(data.memory) && `${formatRounded('bytes', data.memory)} memory`,
        !Number.isNaN(data.uptime) && `up ${formatRounded('s', data.uptime)}`,
    ].filter((f): f is string => typeof f === 'string');
    return (
        <ul class="facts">
            {facts.map((fact) => (
                <li key={fact}>{fact}</li>
            ))}
        </ul>
    );
}
