// SPDX-License-Identifier: Apache-2.0

interface Props {
    label: string;
    value: string;
    options: readonly { value: string; text: string }[];
    onChange: (value: string) => void;
    /** Whether the name is written beside the control or only read out. */
    showLabel?: boolean;
}

/** The browser's own select: it is the one that phones and screen readers handle best. */
export function Select({ label, value, options, onChange, showLabel = false }: Props) {
    return (
        <label class="select">
            <span class={showLabel ? 'select-label' : 'visually-hidden'}>{label}</span>
            <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
                {options.map((o) => (
                    <option key={o.value} value={o.value}>
                        {o.text}
                    </option>
                ))}
            </select>
        </label>
    );
}
