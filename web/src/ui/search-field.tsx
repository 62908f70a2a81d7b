// SPDX-License-Identifier: Apache-2.0

import { Icon } from './icon.tsx';

interface Props {
    label: string;
    hint: string;
    value: string;
    onInput: (text: string) => void;
    /** A list that the arrow keys move through while the keyboard stays here. */
    list?: { id: string; active: string | undefined; onKeyDown: (event: KeyboardEvent) => void };
}

/** The page's search: `/` brings the keyboard here. */
export function SearchField({ label, hint, value, onInput, list }: Props) {
    const combobox = list !== undefined && {
        role: 'combobox' as const,
        'aria-expanded': true,
        'aria-controls': list.id,
        'aria-activedescendant': list.active,
        onKeyDown: list.onKeyDown,
    };
    return (
        <label class="search-field">
            <span class="visually-hidden">{label}</span>
            <Icon name="search" size={16} />
            <input
                class="input"
                type="text"
                inputMode="search"
                placeholder={hint}
                autocomplete="off"
                spellcheck={false}
                data-search
                value={value}
                onInput={(event) => onInput(event.currentTarget.value)}
                {...combobox}
            />
        </label>
    );
}
