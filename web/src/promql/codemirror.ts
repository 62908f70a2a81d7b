// SPDX-License-Identifier: Apache-2.0
//
// The PromQL editor itself; a chunk of its own that only the query page loads, after it is on screen.
//
// The editor lives in a shadow root. CodeMirror makes its style rules at run time: in a document it adds a
// style element, which our content security policy forbids, in a shadow root it adopts a constructed style
// sheet, which the policy allows.

import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, completionStatus } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorState, Prec } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';
import { completionClient } from './completion-client.ts';

export interface EditorOptions {
    value: string;
    label: string;
    hint: string;
    onChange: (text: string) => void;
    onRun: () => void;
}

export interface MountedEditor {
    setValue: (text: string) => void;
    focus: () => void;
    destroy: () => void;
}

const look = EditorView.theme({
    '&': { color: 'var(--text)', backgroundColor: 'transparent', fontSize: '13.5px' },
    '&.cm-focused': { outline: 'none' },
    '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55', maxHeight: '220px' },
    '.cm-content': { padding: '7px 0', caretColor: 'var(--accent)' },
    '.cm-line': { padding: '0 12px' },
    '.cm-cursor': { borderLeftColor: 'var(--accent)' },
    '.cm-placeholder': { color: 'var(--text-3)' },
    '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--surface-3)', outline: '1px solid var(--line-strong)' },
    '.cm-tooltip': {
        color: 'var(--text)',
        backgroundColor: 'var(--surface)',
        border: '1px solid var(--line-strong)',
        borderRadius: '6px',
        boxShadow: 'var(--shadow)',
    },
    '.cm-tooltip.cm-tooltip-autocomplete': { marginTop: '9px' },
    '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', fontSize: '12.5px', maxHeight: '280px', borderRadius: '6px' },
    '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '3px 10px', color: 'var(--text-2)' },
    '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--accent-soft)', color: 'var(--accent)' },
    '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '700', color: 'var(--text)' },
    '.cm-completionDetail': { fontStyle: 'normal', color: 'var(--text-3)' },
    '.cm-tooltip.cm-completionInfo': { margin: '0 4px', padding: '8px 10px', maxWidth: '340px', color: 'var(--text-2)', whiteSpace: 'normal' },
});

const colours = syntaxHighlighting(
    HighlightStyle.define([
        { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: 'var(--series-5)' },
        { tag: [tags.function(tags.variableName), tags.standard(tags.variableName)], color: 'var(--series-0)' },
        { tag: tags.labelName, color: 'var(--series-2)' },
        { tag: tags.string, color: 'var(--series-1)' },
        { tag: [tags.number, tags.literal], color: 'var(--series-4)' },
        { tag: tags.comment, color: 'var(--text-3)', fontStyle: 'italic' },
        { tag: tags.invalid, color: 'var(--bad)' },
    ]),
);

export function mountEditor(host: HTMLElement, options: EditorOptions): MountedEditor {
    const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
    const promql = new PromQLExtension().setComplete({ remote: completionClient }).activateLinter(false);
    const run = () => {
        options.onRun();
        return true;
    };
    const keys = [
        { key: 'Enter', run: (view: EditorView) => (completionStatus(view.state) === 'active' && acceptCompletion(view)) || run() },
        { key: 'Mod-Enter', run },
        { key: 'Shift-Enter', run: insertNewlineAndIndent },
    ];
    const view = new EditorView({
        root,
        parent: root as unknown as Element,
        state: EditorState.create({
            doc: options.value,
            extensions: [
                Prec.highest(keymap.of(keys)),
                history(),
                bracketMatching(),
                closeBrackets(),
                autocompletion({ icons: false, activateOnTypingDelay: 60 }),
                promql.asExtension(),
                keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
                EditorView.lineWrapping,
                EditorView.contentAttributes.of({ 'aria-label': options.label, spellcheck: 'false' }),
                EditorView.updateListener.of((update) => update.docChanged && options.onChange(update.state.doc.toString())),
                placeholder(options.hint),
                look,
                colours,
            ],
        }),
    });
    return {
        setValue(text) {
            if (view.state.doc.toString() === text) return;
            view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: text.length } });
        },
        focus: () => view.focus(),
        destroy() {
            promql.destroy();
            view.destroy();
        },
    };
}
