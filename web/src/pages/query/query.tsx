// SPDX-License-Identifier: Apache-2.0
//
// Ad-hoc queries, one panel below the other. The address holds all of it, in Prometheus' own parameter
// names, so that links between the two work in both directions.

import { useEffect } from 'preact/hooks';
import { usePageTitle } from '../../app/page-title.ts';
import { scrapeInterval } from '../../api/scrape-interval.ts';
import { useResource } from '../../api/resource.ts';
import { range } from '../../time/state.ts';
import { Button } from '../../ui/button.tsx';
import { open, page, params } from '../../url-state/location.ts';
import { decodePanels, encodePanels, type QueryPanel } from '../../url-state/params.ts';
import { QueryView } from './query-view.tsx';
import './query.css';

const fresh: QueryPanel = { expr: '', tab: 'graph', stacked: false, unit: '' };

function write(panels: readonly QueryPanel[], replace = false) {
    open('query', encodePanels(panels, range.value, Date.now()), replace);
}

export default function Query() {
    usePageTitle('Query');
    const decoded = decodePanels(params.value);
    const panels = decoded.length === 0 ? [fresh] : decoded;
    const interval = useResource('interval', 0, (s) => scrapeInterval(s), true);

    // Changing the range or following a link from another page leaves the address in a mixed form.
    const canonical = decoded.length === 0 ? null : encodePanels(decoded, range.value, Date.now()).toString();
    useEffect(() => {
        if (canonical !== null && canonical !== params.value.toString() && page.value !== '') write(decoded, true);
    }, [canonical, params.value]);

    const change = (index: number, next: QueryPanel) => write(panels.map((p, i) => (i === index ? next : p)));
    const remove = (index: number) => write(panels.filter((_, i) => i !== index));
    return (
        <main class="page">
            <h1 class="visually-hidden">Query</h1>
            {panels.map((panel, i) => (
                <QueryView
                    key={i}
                    number={i + 1}
                    panel={panel}
                    stepMin={interval.data ?? 1000}
                    autofocus={i === 0 && panel.expr === ''}
                    onChange={(next) => change(i, next)}
                    {...(panels.length > 1 && { onRemove: () => remove(i) })}
                />
            ))}
            <div>
                <Button icon="plus" onClick={() => write([...panels, fresh])}>
                    Add query
                </Button>
            </div>
        </main>
    );
}
