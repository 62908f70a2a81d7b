// SPDX-License-Identifier: Apache-2.0
//
// The frame around every page: where one can go, the time range, the theme, help.

import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { TimeControls } from '../time/picker.tsx';
import { currentSpan, refreshNow, shiftNow, zoomOutNow } from '../time/state.ts';
import { Button } from '../ui/button.tsx';
import { copy } from '../ui/copy.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icon.tsx';
import { Toasts } from '../ui/toast.tsx';
import { attach, hrefHere, hrefTo, page } from '../url-state/location.ts';
import { Banners, Progress } from './banners.tsx';
import { pages } from './pages.ts';
import { listen, type Shortcut } from './shortcuts.ts';
import { nextTheme, theme } from './theme.ts';

export function Shell({ children }: { children: ComponentChildren }) {
    const { url, route } = useLocation();
    const [help, setHelp] = useState(false);
    useLayoutEffect(() => attach(route), [url]);

    const shortcuts: Shortcut[] = [
        ...pages.map((p) => ({ keys: p.keys, does: `Go to ${p.title}`, run: () => route(hrefTo(p.path)) })),
        { keys: ['/'], does: 'Search on this page', run: focusSearch },
        { keys: ['t', 'z'], does: 'Zoom out', run: zoomOutNow },
        { keys: ['t', 'left'], does: 'Earlier', run: () => shiftNow(-1) },
        { keys: ['t', 'right'], does: 'Later', run: () => shiftNow(1) },
        { keys: ['d', 'r'], does: 'Refresh', run: refreshNow },
        { keys: ['d', 'l'], does: 'Copy a link to what is shown', run: copyLink },
        { keys: ['d', 't'], does: 'Next theme', run: nextTheme },
        { keys: ['?'], does: 'This list', run: () => setHelp(true) },
    ];
    useEffect(() => listen(shortcuts), []);

    return (
        <div class="shell">
            <a class="skip" href="#content">
                Skip to content
            </a>
            <Rail />
            <header class="topbar">
                <a class="brand" href={hrefTo('')} aria-label="nunchi, start page">
                    <Mark />
                    <span class="brand-name">nunchi</span>
                </a>
                <TimeControls />
                <div class="topbar-end">
                    <Button kind="plain" icon="link" label="Copy a link to what is shown (d l)" class="wide-only" onClick={copyLink} />
                    <Button
                        kind="plain"
                        icon={theme.value === 'auto' ? 'auto' : theme.value === 'dark' ? 'moon' : 'sun'}
                        label={`Theme: ${theme.value} (d t)`}
                        onClick={nextTheme}
                    />
                    <Button kind="plain" icon="help" label="Keyboard shortcuts (?)" class="wide-only" onClick={() => setHelp(true)} />
                </div>
                <Progress />
            </header>
            <div id="content" class="content" tabIndex={-1}>
                <Banners />
                {children}
            </div>
            {help && <Help shortcuts={shortcuts} onClose={() => setHelp(false)} />}
            <Toasts />
        </div>
    );
}

/** With the two instants that are on screen: whoever opens it later sees the same. */
function copyLink() {
    const { from, to } = currentSpan();
    copy(window.location.origin + hrefHere({ from: Math.round(from), to: Math.round(to) }), 'Link');
}

function focusSearch() {
    document.querySelector<HTMLElement>('[data-search]')?.focus();
}

function Rail() {
    return (
        <nav class="rail" aria-label="Pages">
            {pages.map((p) => (
                <a key={p.path} class="rail-item" href={hrefTo(p.path)} aria-current={page.value === p.path || p.aliases?.includes(page.value) ? 'page' : undefined} title={`${p.title} (${p.keys.join(' ')})`}>
                    <Icon name={p.icon} size={20} />
                    <span>{p.title}</span>
                </a>
            ))}
        </nav>
    );
}

function Mark() {
    return (
        <svg class="mark" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
            <path d="M3 16c4-6.5 8-9.5 13-9.5S25 9.5 29 16c-4 6.5-8 9.5-13 9.5S7 22.5 3 16z" />
            <path d="M9 16h3.5l2-5 3.5 10 2-5H23" />
        </svg>
    );
}

function Help({ shortcuts, onClose }: { shortcuts: readonly Shortcut[]; onClose: () => void }) {
    return (
        <Dialog title="Keyboard shortcuts" onClose={onClose}>
            <dl class="shortcuts">
                {shortcuts.map((s) => (
                    <div key={s.does}>
                        <dt>
                            {s.keys.map((k) => (
                                <kbd key={k}>{k}</kbd>
                            ))}
                        </dt>
                        <dd>{s.does}</dd>
                    </div>
                ))}
            </dl>
            <ul class="shortcut-notes dim">
                <li>Query field: Enter runs, Shift+Enter makes a new line, Ctrl+Space completes.</li>
                <li>Chart: drag to zoom in, double-click to zoom out; click a name to see it alone, Ctrl+click to hide it.</li>
                <li>Every change of the range is a step of the browser's history: Back undoes it.</li>
            </ul>
        </Dialog>
    );
}
