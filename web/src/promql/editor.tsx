// SPDX-License-Identifier: Apache-2.0
//
// The query field. A plain text field works from the first paint; the editor takes its place, text and
// focus when it has loaded, and if it cannot load nothing is lost but the colours.
//
// The text belongs to the field while the user types. `value` replaces it only when it changes, that is when
// a query was run or chosen elsewhere: feeding each keystroke back would undo those that came in between.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { MountedEditor } from './codemirror.ts';

interface Props {
    value: string;
    label: string;
    onChange: (text: string) => void;
    onRun: () => void;
    /** Takes the keyboard when it appears. */
    autofocus?: boolean;
}

const hint = 'PromQL, for example rate(node_cpu_seconds_total[1m])';

export function PromqlEditor({ value, label, onChange, onRun, autofocus = false }: Props) {
    const host = useRef<HTMLDivElement>(null);
    const plain = useRef<HTMLTextAreaElement>(null);
    const editor = useRef<MountedEditor | null>(null);
    const [mounted, setMounted] = useState(false);
    const latest = useRef({ onChange, onRun });
    latest.current = { onChange, onRun };

    useEffect(() => {
        let live = true;
        import('./codemirror.ts').then(
            ({ mountEditor }) => {
                if (!live || host.current === null) return;
                const hadFocus = document.activeElement === plain.current;
                editor.current = mountEditor(host.current, {
                    value: plain.current?.value ?? value,
                    label,
                    hint,
                    onChange: (text) => latest.current.onChange(text),
                    onRun: () => latest.current.onRun(),
                });
                // Whoever focuses the field means the text in it, not the shadow root's first box.
                host.current.focus = () => editor.current?.focus();
                setMounted(true);
                if (hadFocus) editor.current.focus();
            },
            () => undefined,
        );
        if (autofocus) plain.current?.focus();
        return () => {
            live = false;
            editor.current?.destroy();
            editor.current = null;
        };
    }, []);

    useEffect(() => {
        if (plain.current !== null) plain.current.value = value;
        editor.current?.setValue(value);
    }, [value]);

    const onKey = (event: KeyboardEvent) => {
        if (event.key !== 'Enter' || event.shiftKey) return;
        event.preventDefault();
        onRun();
    };
    return (
        <div class="promql">
            <div ref={host} class="promql-editor" data-search={mounted || undefined} />
            {!mounted && (
                <textarea
                    ref={plain}
                    class="promql-plain"
                    rows={1}
                    aria-label={label}
                    placeholder={hint}
                    spellcheck={false}
                    defaultValue={value}
                    data-search
                    onInput={(event) => onChange(event.currentTarget.value)}
                    onKeyDown={onKey}
                />
            )}
        </div>
    );
}
