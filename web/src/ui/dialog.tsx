// SPDX-License-Identifier: Apache-2.0

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Button } from './button.tsx';

/** Modal; the browser keeps the focus inside and gives it back on close. */
export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
    const box = useRef<HTMLDialogElement>(null);
    useEffect(() => box.current?.showModal(), []);
    return (
        <dialog
            ref={box}
            class="dialog"
            aria-label={title}
            onClose={onClose}
            onClick={(event) => event.target === box.current && box.current?.close()}
        >
            <header class="dialog-head">
                <h2>{title}</h2>
                <Button kind="plain" icon="close" label="Close" onClick={() => box.current?.close()} />
            </header>
            <div class="dialog-body">{children}</div>
        </dialog>
    );
}
