// SPDX-License-Identifier: Apache-2.0
//
// What the server has to tell (a reload that failed, writes that fail), pushed by /api/v1/notifications/live and
// shown above every page until it is over or dismissed. A hidden page lets go of its stream: browsers keep few
// connections to one server, and a stream takes one. Where the server takes no more streams the list is polled.

import { computed, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { request } from '../api/client.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { formatClock } from '../time/format.ts';
import { zone } from '../time/state.ts';
import { basePath } from './base.ts';
import { merge, type Notification } from './notification-list.ts';

const known = signal<readonly Notification[]>([]);
/** `text` and `date` of what was dismissed: said again later, it is shown again. */
const dismissed = signal<readonly string[]>([]);

const keyOf = (n: Notification) => `${n.date} ${n.text}`;
const shown = computed(() => known.value.filter((n) => !dismissed.value.includes(keyOf(n))));

const pollMs = 30_000;

async function poll(): Promise<void> {
    try {
        known.value = (await request<Notification[]>('notifications')).data;
    } catch {
        // The banner of a lost server says so already.
    }
}

/** Listens until the returned function is called. */
function listen(): () => void {
    const stream = new EventSource(`${basePath}api/v1/notifications/live`);
    let timer: number | undefined;
    stream.onopen = () => (known.value = []);
    stream.onmessage = (event: MessageEvent<string>) => (known.value = merge(known.value, JSON.parse(event.data) as Notification));
    stream.onerror = () => {
        if (stream.readyState !== EventSource.CLOSED || timer !== undefined) return;
        void poll();
        timer = window.setInterval(() => void poll(), pollMs);
    };
    return () => {
        stream.close();
        window.clearInterval(timer);
    };
}

function listenWhileVisible(): () => void {
    let stop: (() => void) | undefined;
    const update = () => {
        stop?.();
        stop = document.hidden ? undefined : listen();
    };
    update();
    document.addEventListener('visibilitychange', update);
    return () => {
        stop?.();
        document.removeEventListener('visibilitychange', update);
    };
}

export function Notifications() {
    useEffect(listenWhileVisible, []);
    return (
        <>
            {shown.value.map((n) => (
                <div key={keyOf(n)} class="banner banner-warning" role="status" data-banner="notification">
                    <Icon name="warning" />
                    <p>
                        <b>{n.text}</b> Since {formatClock(Date.parse(n.date), zone.value)}.
                    </p>
                    <Button kind="plain" icon="close" label="Dismiss" onClick={() => (dismissed.value = [...dismissed.value, keyOf(n)])} />
                </div>
            ))}
        </>
    );
}
