// SPDX-License-Identifier: Apache-2.0
//
// The start page: this host and this server at a glance. It knows which host to show, since when there is
// data and how often it comes; everything else is in the tables of panels.ts.

import { queryInstant, queryRange } from '../../api/client.ts';
import { defaultScrapeInterval, scrapeInterval } from '../../api/scrape-interval.ts';
import { useResource } from '../../api/resource.ts';
import { Panel, type PanelContext } from '../../chart/panel.tsx';
import { isLive, type Span } from '../../time/range.ts';
import { currentSpan, range, refreshNow, tick } from '../../time/state.ts';
import { chooseStep } from '../../time/step.ts';
import { ErrorBox } from '../../ui/states.tsx';
import { Select } from '../../ui/select.tsx';
import { formatRounded } from '../../units/units.ts';
import { params, updateParams } from '../../url-state/location.ts';
import { usePageTitle } from '../../app/page-title.ts';
import { hostPanels, hostTiles, selfPanels } from './panels.ts';
import { Tile } from './tile.tsx';
import './home.css';

/** Never zoom in further than this on a server that has just begun: a chart of ten seconds says nothing. */
const narrowest = 60_000;

export default function Home() {
    usePageTitle('Home');
    const found = useResource('hosts', tick.value, knownHosts, true);
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
    return <Overview host={host} hosts={hosts} scrape={interval.data ?? defaultScrapeInterval} />;
}

interface Host {
    instance: string;
    job: string;
}

/** Hosts with node metrics, by name. One that several jobs scrape is shown once, as our own collectors see it. */
async function knownHosts(signal: AbortSignal): Promise<Host[]> {
    const { data } = await queryInstant('count by (instance, job) (node_load1)', currentSpan().to, signal);
    const entries = data.resultType === 'vector' ? data.result : [];
    const jobs = new Map<string, string>();
    for (const { metric } of entries) {
        const { instance = '', job = '' } = metric;
        if (!jobs.has(instance) || job === 'node') jobs.set(instance, job);
    }
    return [...jobs]
        .map(([instance, job]) => ({ instance, job }))
        .sort((a, b) => Number(b.job === 'node') - Number(a.job === 'node') || a.instance.localeCompare(b.instance));
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

function Overview({ host, hosts, scrape }: { host: Host | undefined; hosts: readonly Host[]; scrape: number }) {
    const asked = currentSpan();
    const quote = JSON.stringify;
    const selector = host === undefined ? 'job="node"' : `job=${quote(host.job)},instance=${quote(host.instance)}`;
    const start = useDataStart(`count(node_load1{${selector}})`, asked, scrape);
    const span = fit(asked, start.data ?? null);
    const fitted = span.from > asked.from;
    const context: PanelContext = {
        variables: { host: selector, self: 'job="nunchi"' },
        span,
        scrapeInterval: scrape,
        young: isLive(range.value) && (start.data === undefined || start.data === null || asked.to - start.data < 12 * scrape),
    };
    return (
        <main class="page">
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
            {fitted && (
                <p class="since">
                    Data begins {formatRounded('s', Math.max(1, Math.round((asked.to - (start.data ?? asked.to)) / 1000)))} ago: the charts show that part and widen to the chosen range as it fills.
                </p>
            )}
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
            <h2 class="section-title">nunchi itself</h2>
            <div class="panels">
                {selfPanels.map((def) => (
                    <Panel key={def.id} def={def} context={context} />
                ))}
            </div>
        </main>
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
