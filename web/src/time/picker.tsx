// SPDX-License-Identifier: Apache-2.0

import { useState } from 'preact/hooks';
import { Button } from '../ui/button.tsx';
import { Popover } from '../ui/popover.tsx';
import { Select } from '../ui/select.tsx';
import { formatInstant, formatSpan } from './format.ts';
import { isLive, parseTime, quickRanges, relativeName, resolveRange, type TimeRange } from './range.ts';
import { currentSpan, paused, range, refreshChoice, refreshChoices, refreshMs, refreshNow, setRange, shiftNow, zone, zoomOutNow } from './state.ts';
import { formatDuration } from './duration.ts';

function rangeText(current: TimeRange): string {
    const name = relativeName(current);
    if (name !== null) return name;
    const { from, to } = currentSpan();
    return formatSpan(from, to, zone.value);
}

/** The range, moving it, and the refresh clock: the same on every page. */
export function TimeControls() {
    return (
        <div class="time-controls" role="group" aria-label="Time range">
            <div class="joined time-range">
                <Button icon="left" label="Earlier (t left)" class="wide-only" onClick={() => shiftNow(-1)} />
                <Popover icon="clock" label={`Time range: ${rangeText(range.value)}`} text={<span class="time-text">{rangeText(range.value)}</span>}>
                    {(close) => <RangeForm close={close} />}
                </Popover>
                <Button icon="right" label="Later (t right)" class="wide-only" onClick={() => shiftNow(1)} />
                <Button icon="zoomOut" label="Zoom out (t z)" onClick={zoomOutNow} />
            </div>
            <RefreshControls />
        </div>
    );
}

function RefreshControls() {
    const live = isLive(range.value);
    const every = refreshMs.value;
    return (
        <div class="joined">
            <Button icon="refresh" label="Refresh now (d r)" onClick={refreshNow} />
            <span class="wide-only">
                <Select
                    label="Refresh"
                    value={String(refreshChoice.value)}
                    options={refreshChoices.map(([ms, text]) => ({
                        value: String(ms),
                        text: ms === 0 && every !== null && refreshChoice.value === 0 ? `Auto ${formatDuration(every)}` : text,
                    }))}
                    onChange={(value) => (refreshChoice.value = Number(value))}
                />
            </span>
            {live && (
                <Button
                    icon={paused.value ? 'play' : 'pause'}
                    label={paused.value ? 'Resume refreshing' : 'Pause refreshing'}
                    class={paused.value ? 'is-on' : ''}
                    onClick={() => (paused.value = !paused.value)}
                />
            )}
        </div>
    );
}

function inputText(end: string, isEnd: boolean): string {
    if (end.startsWith('now')) return end;
    const at = parseTime(end, Date.now(), isEnd, zone.value);
    return at === null ? end : formatInstant(at, zone.value);
}

function RangeForm({ close }: { close: () => void }) {
    const [from, setFrom] = useState(inputText(range.value.from, false));
    const [to, setTo] = useState(inputText(range.value.to, true));
    const now = Date.now();
    const bad = {
        from: parseTime(from, now, false, zone.value) === null,
        to: parseTime(to, now, true, zone.value) === null,
    };
    const backwards = !bad.from && !bad.to && resolveRange({ from, to }, now, zone.value) === null;
    const pick = (next: TimeRange) => {
        setRange(next);
        close();
    };
    const normal = (text: string, isEnd: boolean) => (text.trim().startsWith('now') ? text.trim() : String(parseTime(text, now, isEnd, zone.value)));
    const submit = (event: Event) => {
        event.preventDefault();
        if (!bad.from && !bad.to && !backwards) pick({ from: normal(from, false), to: normal(to, true) });
    };
    // The instants stay, their text changes.
    const chooseZone = (value: string) => {
        zone.value = value === 'utc' ? 'utc' : 'local';
        setFrom(inputText(range.value.from, false));
        setTo(inputText(range.value.to, true));
    };
    return (
        <div class="range-form">
            <ul class="menu" aria-label="Quick ranges">
                {quickRanges.map((q) => (
                    <li key={q.label}>
                        <button type="button" class="menu-item" aria-current={q.from === range.value.from && q.to === range.value.to} onClick={() => pick({ from: q.from, to: q.to })}>
                            {q.label}
                        </button>
                    </li>
                ))}
            </ul>
            <form class="range-exact" onSubmit={submit}>
                <End label="From" value={from} onInput={setFrom} bad={bad.from} />
                <End label="To" value={to} onInput={setTo} bad={bad.to} />
                {backwards && <p class="field-error">The start has to be before the end.</p>}
                <p class="dim">
                    <code>now-6h</code>, <code>now/d</code> or <code>2026-03-01 14:00</code>
                </p>
                <Button kind="primary" type="submit" disabled={bad.from || bad.to || backwards}>
                    Apply
                </Button>
                <Select
                    label="Time zone"
                    showLabel
                    value={zone.value}
                    options={[
                        { value: 'local', text: 'Browser time' },
                        { value: 'utc', text: 'UTC' },
                    ]}
                    onChange={chooseZone}
                />
            </form>
        </div>
    );
}

function End({ label, value, onInput, bad }: { label: string; value: string; onInput: (value: string) => void; bad: boolean }) {
    return (
        <label class="field">
            <span>{label}</span>
            <input
                type="text"
                class="input"
                value={value}
                aria-invalid={bad}
                spellcheck={false}
                autocomplete="off"
                data-autofocus={label === 'From'}
                onInput={(event) => onInput(event.currentTarget.value)}
            />
            {bad && <span class="field-error">Not a time</span>}
        </label>
    );
}
