// SPDX-License-Identifier: Apache-2.0
//
// What is scraped and whether it answers. Failing targets come first, everywhere.

import { useMemo, useState } from 'preact/hooks';
import { targets } from '../../api/client.ts';
import { useResource } from '../../api/resource.ts';
import type { ActiveTarget, Labels } from '../../api/types.ts';
import { usePageTitle } from '../../app/page-title.ts';
import { formatAgo, formatInstant } from '../../time/format.ts';
import { refreshNow, tick, zone } from '../../time/state.ts';
import { Button } from '../../ui/button.tsx';
import { Icon, type IconName } from '../../ui/icon.tsx';
import { SearchField } from '../../ui/search-field.tsx';
import { Empty, ErrorBox, Loading } from '../../ui/states.tsx';
import { formatRounded } from '../../units/units.ts';
import { hrefTo, params, updateParams } from '../../url-state/location.ts';
import { countStates, filterTargets, groupPools, healths, sharedLabels, type Health, type Pool } from './pools.ts';
import './targets.css';

const looks: Record<Health, { icon: IconName; chip: string }> = {
    down: { icon: 'error', chip: 'chip-bad' },
    unknown: { icon: 'unknown', chip: 'chip-warn' },
    up: { icon: 'ok', chip: 'chip-ok' },
};

const none: readonly ActiveTarget[] = [];

export default function Targets() {
    usePageTitle('Targets');
    const { data, error } = useResource('targets', tick.value, (s) => targets(s), true);
    const [text, setText] = useState(params.value.get('search') ?? '');
    const all = data?.data.activeTargets ?? none;
    const state = healths.find((h) => h === params.value.get('state')) ?? null;
    const pools = useMemo(() => groupPools(filterTargets(all, text, state)), [all, text, state]);
    const search = (next: string) => {
        setText(next);
        updateParams((p) => (next === '' ? p.delete('search') : p.set('search', next)), true);
    };
    return (
        <main class="page">
            <div class="page-head">
                <h1>Targets</h1>
                {data !== undefined && <Summary all={all} state={state} />}
                <div class="targets-find">
                    <SearchField label="Search targets" hint="Address, label or error  ( / )" value={text} onInput={search} />
                </div>
            </div>
            {error !== undefined && !(error.kind === 'network' && data !== undefined) && <ErrorBox error={error} onRetry={refreshNow} />}
            {data === undefined && error === undefined && <Loading />}
            {data !== undefined && all.length === 0 && (
                <Empty title="Nothing is scraped yet">
                    Add a <code>scrape_configs</code> entry with <code>static_configs</code> to prometheus.yml and reload.
                </Empty>
            )}
            {all.length > 0 && pools.length === 0 && <Empty title="No target matches">Change the search or the state.</Empty>}
            {pools.map((pool) => (
                <PoolView key={pool.name} pool={pool} />
            ))}
            {state === null && <Dropped targets={data?.data.droppedTargets ?? []} text={text} />}
        </main>
    );
}

function Summary({ all, state }: { all: readonly ActiveTarget[]; state: Health | null }) {
    const counts = countStates(all);
    const choose = (health: Health) => updateParams((p) => (state === health ? p.delete('state') : p.set('state', health)));
    return (
        <div class="targets-states" role="group" aria-label="Show only">
            {healths.map((health) => (
                <button
                    key={health}
                    type="button"
                    class={`chip ${counts[health] > 0 ? looks[health].chip : ''}`}
                    aria-pressed={state === health}
                    onClick={() => choose(health)}
                >
                    <Icon name={looks[health].icon} size={14} />
                    {counts[health]} {health}
                </button>
            ))}
        </div>
    );
}

/** More rows than this are shown on demand: a pool can hold thousands. */
const pageRows = 200;

function PoolView({ pool }: { pool: Pool }) {
    const [limit, setLimit] = useState(pageRows);
    const up = countStates(pool.targets).up;
    const shared = useMemo(() => sharedLabels(pool.targets), [pool.targets]);
    return (
        <details class="pool" open>
            <summary class="pool-head">
                <Icon name="right" size={16} />
                <h2>{pool.name}</h2>
                <span class={`chip ${up < pool.targets.length ? 'chip-bad' : 'chip-ok'}`}>
                    {up} of {pool.targets.length} up
                </span>
                <LabelList labels={shared} />
            </summary>
            <ul>
                {pool.targets.slice(0, limit).map((target) => (
                    <Target key={target.scrapeUrl + JSON.stringify(target.labels)} target={target} shared={shared} />
                ))}
            </ul>
            {pool.targets.length > limit && (
                <Button class="pool-more" onClick={() => setLimit(limit + pageRows)}>
                    Show more of {pool.targets.length}
                </Button>
            )}
        </details>
    );
}

function Target({ target, shared }: { target: ActiveTarget; shared: Labels }) {
    const scraped = Date.parse(target.lastScrape);
    const never = Number.isNaN(scraped) || scraped <= 0;
    const look = looks[target.health];
    const own = Object.fromEntries(Object.entries(target.labels).filter(([name]) => !(name in shared)));
    const upHref = hrefTo('query', (p) => {
        p.set('g0.expr', upQuery(target.labels));
        p.set('g0.tab', '0');
    });
    return (
        <li class="target" data-health={target.health}>
            <span class={`chip ${look.chip}`}>
                <Icon name={look.icon} size={14} />
                {target.health}
            </span>
            <div class="target-main">
                <p class="target-address">
                    <a href={upHref} title="Show when it was up">
                        {target.scrapeUrl === '' ? 'inside this process' : target.scrapeUrl}
                    </a>
                    {target.scrapeUrl !== '' && (
                        <a class="target-page" href={target.scrapeUrl} target="_blank" rel="noreferrer noopener">
                            <Icon name="open" size={14} />
                            <span class="visually-hidden">Open what the target answers, in a new tab</span>
                        </a>
                    )}
                </p>
                <LabelList labels={own} />
                {target.lastError !== '' && <p class="target-error">{target.lastError}</p>}
                <details class="target-details">
                    <summary>Discovered labels</summary>
                    <LabelList labels={target.discoveredLabels} />
                </details>
            </div>
            <dl class="target-times">
                <div>
                    <dt>Last scrape</dt>
                    <dd title={never ? '' : formatInstant(scraped, zone.value)}>{never ? 'never' : formatAgo(scraped, Date.now())}</dd>
                </div>
                <div>
                    <dt>Took</dt>
                    <dd>{never ? '–' : formatRounded('s', target.lastScrapeDuration)}</dd>
                </div>
                <div>
                    <dt>Every</dt>
                    <dd>{target.scrapeInterval ?? '–'}</dd>
                </div>
                <div>
                    <dt>Timeout</dt>
                    <dd>{target.scrapeTimeout ?? '–'}</dd>
                </div>
            </dl>
        </li>
    );
}

/** What relabelling threw away: the usual reason why a target is missing. */
function Dropped({ targets: all, text }: { targets: readonly { discoveredLabels: Labels; scrapePool?: string }[]; text: string }) {
    const [limit, setLimit] = useState(pageRows);
    const words = text.toLowerCase();
    const found = all.filter((t) => JSON.stringify(Object.values(t.discoveredLabels)).toLowerCase().includes(words));
    if (found.length === 0) return null;
    return (
        <details class="pool" data-dropped>
            <summary class="pool-head">
                <Icon name="right" size={16} />
                <h2>Dropped by relabelling</h2>
                <span class="chip">{found.length.toLocaleString('en')}</span>
            </summary>
            <ul>
                {found.slice(0, limit).map((t) => (
                    <li key={JSON.stringify(t.discoveredLabels)} class="target target-dropped">
                        <p class="target-address">{t.scrapePool}</p>
                        <LabelList labels={t.discoveredLabels} />
                    </li>
                ))}
            </ul>
            {found.length > limit && (
                <Button class="pool-more" onClick={() => setLimit(limit + pageRows)}>
                    Show more of {found.length}
                </Button>
            )}
        </details>
    );
}

function upQuery({ job = '', instance = '' }: Labels): string {
    return `up{job=${JSON.stringify(job)},instance=${JSON.stringify(instance)}}`;
}

function LabelList({ labels }: { labels: Labels }) {
    if (Object.keys(labels).length === 0) return null;
    return (
        <ul class="labels">
            {Object.entries(labels).map(([name, value]) => (
                <li key={name} class="label">
                    <span class="label-name">{name}</span>
                    {value}
                </li>
            ))}
        </ul>
    );
}
