// SPDX-License-Identifier: Apache-2.0
//
// A panel that hangs on a button. The browser's own popover gives the top layer, Escape and closing on a
// click outside; floating-ui gives the place, because CSS anchors are not in every browser yet.

import { autoUpdate, computePosition, flip, offset, shift, type Placement } from '@floating-ui/dom';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Button } from './button.tsx';
import type { IconName } from './icon.tsx';

interface Props {
    icon?: IconName;
    label: string;
    text?: ComponentChildren;
    placement?: Placement;
    kind?: 'normal' | 'plain';
    class?: string;
    /** Rendered only while open. */
    children: (close: () => void) => ComponentChildren;
}

export function Popover({ icon, label, text, placement = 'bottom-end', kind = 'normal', class: extra, children }: Props) {
    const anchor = useRef<HTMLSpanElement>(null);
    const box = useRef<HTMLDivElement>(null);
    const [open, setOpen] = useState(false);
    const id = useId();

    useEffect(() => {
        const element = box.current;
        if (element === null) return undefined;
        const onToggle = (event: Event) => setOpen((event as ToggleEvent).newState === 'open');
        element.addEventListener('toggle', onToggle);
        return () => element.removeEventListener('toggle', onToggle);
    }, []);

    useEffect(() => {
        const element = box.current;
        const button = anchor.current;
        if (!open || element === null || button === null) return undefined;
        const stop = autoUpdate(button, element, () => {
            void computePosition(button, element, { placement, strategy: 'fixed', middleware: [offset(6), flip(), shift({ padding: 8 })] }).then(
                ({ x, y }) => Object.assign(element.style, { left: `${x}px`, top: `${y}px` }),
            );
        });
        return stop;
    }, [open]);

    // Before the next key arrives: whoever opens it by keyboard goes on typing.
    useLayoutEffect(() => {
        if (open) box.current?.querySelector<HTMLElement>('[data-autofocus]')?.focus();
    }, [open]);

    const toggle = () => {
        box.current?.togglePopover();
        setOpen(box.current?.matches(':popover-open') ?? false);
    };
    return (
        <span class="popover-anchor" ref={anchor}>
            <Button kind={kind} icon={icon} label={label} class={extra} onClick={toggle} aria-expanded={open} aria-controls={id} aria-haspopup="dialog">
                {text}
            </Button>
            <div id={id} ref={box} class="popover" popover="auto" role="dialog" aria-label={label}>
                {open && children(() => box.current?.hidePopover())}
            </div>
        </span>
    );
}
