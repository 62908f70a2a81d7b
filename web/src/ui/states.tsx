// SPDX-License-Identifier: Apache-2.0
//
// What stands where data should be: waiting, nothing there, something wrong. Each says what to do next.

import type { ComponentChildren } from 'preact';
import { caret, locate, title, type ApiError } from '../api/error.ts';
import { Button } from './button.tsx';
import { Icon } from './icon.tsx';

export function Empty({ title: heading, children }: { title: string; children?: ComponentChildren }) {
    return (
        <div class="empty">
            <p class="empty-title">{heading}</p>
            {children !== undefined && <div class="empty-text">{children}</div>}
        </div>
    );
}

export function Loading({ text = 'Loading…' }: { text?: string }) {
    return (
        <div class="empty" role="status">
            <span class="spinner" aria-hidden="true" />
            <p class="empty-text">{text}</p>
        </div>
    );
}

export function ErrorBox({ error, query, onRetry }: { error: ApiError; query?: string; onRetry?: () => void }) {
    const place = locate(error.message);
    const mark = query === undefined ? null : caret(query, place);
    return (
        <div class="message message-error" role="alert">
            <Icon name="error" />
            <div class="message-body">
                <p class="message-title">{title[error.kind] ?? 'Something went wrong'}</p>
                {mark !== null && (
                    <pre class="message-source">
                        {mark.source}
                        {'\n'}
                        <b>{mark.marker}</b>
                    </pre>
                )}
                <p class="message-text">
                    {mark !== null && <span class="dim">{`${place.line}:${place.column} `}</span>}
                    {place.message}
                </p>
                {onRetry !== undefined && error.kind !== 'bad_data' && <Button onClick={onRetry}>Try again</Button>}
            </div>
        </div>
    );
}

export function Notice({ kind, children }: { kind: 'warning' | 'info'; children: ComponentChildren }) {
    return (
        <div class={`message message-${kind}`} role="status">
            <Icon name={kind === 'warning' ? 'warning' : 'help'} />
            <div class="message-body">{children}</div>
        </div>
    );
}
