// SPDX-License-Identifier: Apache-2.0

import { useRef } from 'preact/hooks';
import { Icon, type IconName } from './icon.tsx';

interface Tab<T extends string> {
    id: T;
    text: string;
    icon?: IconName;
}

interface Props<T extends string> {
    label: string;
    tabs: readonly Tab<T>[];
    active: T;
    onSelect: (id: T) => void;
    /** Id of the element that shows the chosen tab. */
    panel: string;
}

/** One stop for the Tab key; arrows move between the tabs, as screen readers expect. */
export function Tabs<T extends string>({ label, tabs, active, onSelect, panel }: Props<T>) {
    const list = useRef<HTMLDivElement>(null);
    const move = (event: KeyboardEvent) => {
        const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
        if (by === 0) return;
        event.preventDefault();
        const next = (tabs.findIndex((t) => t.id === active) + by + tabs.length) % tabs.length;
        onSelect(tabs[next].id);
        list.current?.querySelectorAll('button')[next]?.focus();
    };
    return (
        <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
            {tabs.map((tab) => (
                <button
                    key={tab.id}
                    type="button"
                    role="tab"
                    class="tab"
                    aria-selected={tab.id === active}
                    aria-controls={panel}
                    tabIndex={tab.id === active ? 0 : -1}
                    onClick={() => onSelect(tab.id)}
                >
                    {tab.icon !== undefined && <Icon name={tab.icon} size={16} />}
                    {tab.text}
                </button>
            ))}
        </div>
    );
}
