// SPDX-License-Identifier: Apache-2.0
//
// What the whole application has to say, above every page: one row of a table each. A banner that has nothing
// to say renders nothing.

import type { FunctionComponent } from 'preact';
import { busy, lostSince } from '../api/connection.ts';
import { formatClock } from '../time/format.ts';
import { zone } from '../time/state.ts';
import { Icon } from '../ui/icon.tsx';
import { Notifications } from './notifications.tsx';

const banners: readonly FunctionComponent[] = [Lost, Notifications];

export function Banners() {
    return (
        <div class="banners">
            {banners.map((Banner) => (
                <Banner key={Banner.name} />
            ))}
        </div>
    );
}

function Lost() {
    if (lostSince.value === null) return null;
    return (
        <div class="banner banner-bad" role="alert" data-banner="lost">
            <Icon name="error" />
            <p>
                <b>The server does not answer.</b> What you see is from {formatClock(lostSince.value, zone.value)}; it goes on by itself when the server is back.
            </p>
        </div>
    );
}

/** A thin moving line under the top bar; its style shows it only when an answer takes a while. */
export function Progress() {
    return <div class={busy.value ? 'progress is-busy' : 'progress'} aria-hidden="true" />;
}
