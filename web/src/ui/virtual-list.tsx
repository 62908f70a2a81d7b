// SPDX-License-Identifier: Apache-2.0
//
// A long list of rows of one height, of which only those near the visible part exist. One row is the active
// one; whoever owns the list moves it with the arrow keys (see `stepOf`) and the list keeps it in sight.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

interface Props {
    id: string;
    label: string;
    count: number;
    /** Pixels. */
    rowHeight: number;
    /** Position of the active row, or -1. */
    active: number;
    row: (index: number) => ComponentChildren;
    onChoose: (index: number) => void;
}

/** Rows beyond the edges, so that quick scrolling shows no holes. */
const spare = 8;

export const rowId = (list: string, index: number) => `${list}-${index}`;

/** Where the active row goes for a key, or null if the key is none of the list's. */
export function stepOf(key: string, active: number, count: number): number | null {
    const page = 10;
    const to: Record<string, number> = {
        ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page,
    };
    return key in to && count > 0 ? Math.min(count - 1, Math.max(0, to[key])) : null;
}

export function VirtualList({ id, label, count, rowHeight, active, row, onChoose }: Props) {
    const box = useRef<HTMLDivElement>(null);
    const [view, setView] = useState({ top: 0, height: 600 });
    const measure = () => box.current !== null && setView({ top: box.current.scrollTop, height: box.current.clientHeight });

    useEffect(() => {
        const element = box.current;
        if (element === null) return undefined;
        const observer = new ResizeObserver(measure);
        observer.observe(element);
        return () => observer.disconnect();
    }, []);

    useEffect(() => {
        const element = box.current;
        if (element === null || active < 0) return;
        const top = active * rowHeight;
        if (top < element.scrollTop) element.scrollTop = top;
        else if (top + rowHeight > element.scrollTop + element.clientHeight) element.scrollTop = top + rowHeight - element.clientHeight;
    }, [active, count]);

    const first = Math.max(0, Math.floor(view.top / rowHeight) - spare);
    const last = Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + spare);
    return (
        <div id={id} ref={box} class="virtual" role="listbox" aria-label={label} onScroll={measure}>
            <div class="virtual-space" style={{ height: `${count * rowHeight}px` }}>
                {Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i).map((index) => (
                    <div
                        key={index}
                        id={rowId(id, index)}
                        class="virtual-row"
                        role="option"
                        aria-selected={index === active}
                        aria-posinset={index + 1}
                        aria-setsize={count}
                        style={{ transform: `translateY(${index * rowHeight}px)`, height: `${rowHeight}px` }}
                        onClick={() => onChoose(index)}
                    >
                        {row(index)}
                    </div>
                ))}
            </div>
        </div>
    );
}
