// SPDX-License-Identifier: Apache-2.0
//
// One query: its field, its table or graph, and what the server said about it.

import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { queryInstant, queryRange } from '../../api/client.ts';
import { useResource } from '../../api/resource.ts';
import type { Answer, QueryData } from '../../api/types.ts';
import { Chart } from '../../chart/chart.tsx';
import { buildFrame } from '../../chart/frame.ts';
import { PromqlEditor } from '../../promql/editor.tsx';
import { formatDuration } from '../../time/duration.ts';
import { currentSpan, range, refreshNow, tick } from '../../time/state.ts';
import { alignSpan, chooseStep } from '../../time/step.ts';
import { Button } from '../../ui/button.tsx';
import { Empty, ErrorBox, Loading, Notice } from '../../ui/states.tsx';
import { saveText } from '../../ui/save.ts';
import { Select } from '../../ui/select.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { queryUnit } from '../../units/guess.ts';
import { formatRounded } from '../../units/units.ts';
import type { QueryPanel } from '../../url-state/params.ts';
import { csv } from './csv.ts';
import { Explain } from './explain.tsx';
import { History, remember } from './history.tsx';
import { ResultTable } from './result-table.tsx';

interface Props {
    number: number;
    panel: QueryPanel;
    /** Milliseconds; points closer than samples come say nothing new. */
    stepMin: number;
    autofocus: boolean;
    onChange: (panel: QueryPanel) => void;
    onRemove?: () => void;
}

export function QueryView({ number, panel, stepMin, autofocus, onChange, onRemove }: Props) {
    const draft = useRef(panel.expr);
    useEffect(() => {
        draft.current = panel.expr;
    }, [panel.expr]);
    const resultId = useId();

    const run = (expr: string) => {
        remember(expr);
        if (expr === panel.expr) refreshNow();
        else onChange({ ...panel, expr });
    };
    const label = number === 1 ? 'Query' : `Query ${number}`;
    return (
        <section class="query" aria-label={label}>
            <div class="query-line">
                <PromqlEditor
                    value={panel.expr}
                    label={`${label}, PromQL`}
                    onChange={(text) => (draft.current = text)}
                    onRun={() => run(draft.current)}
                    autofocus={autofocus}
                />
                <History onPick={run} />
                <Button kind="primary" onClick={() => run(draft.current)}>
                    Run
                </Button>
                {onRemove !== undefined && <Button kind="plain" icon="close" label={`Remove query ${number}`} onClick={onRemove} />}
            </div>
            <Result panel={panel} stepMin={stepMin} id={resultId} onChange={onChange} />
        </section>
    );
}

interface ResultProps {
    panel: QueryPanel;
    stepMin: number;
    id: string;
    onChange: (panel: QueryPanel) => void;
}

interface Shown {
    answer: Answer<QueryData>;
    span: { from: number; to: number };
    step: number;
}

function useWidth() {
    const ref = useRef<HTMLDivElement>(null);
    const [width, setWidth] = useState(0);
    useEffect(() => setWidth(ref.current?.clientWidth ?? 800), []);
    return { ref, width };
}

function Result({ panel, stepMin, id, onChange }: ResultProps) {
    const { ref, width } = useWidth();
    const { from, to } = range.value;
    const asked = panel.expr.trim() !== '' && width > 0;
    const load = async (signal: AbortSignal): Promise<Shown> => {
        const span = currentSpan();
        const step = chooseStep(span.to - span.from, width, stepMin);
        if (panel.tab === 'table') return { answer: await queryInstant(panel.expr, span.to, signal), span, step };
        const aligned = alignSpan(span, step);
        return { answer: await queryRange(panel.expr, aligned.from, aligned.to, step, signal, panel.tab === 'explain'), span, step };
    };
    const key = asked ? `${panel.tab} ${from} ${to} ${stepMin} ${panel.expr}` : null;
    const { data, error, loading } = useResource(key, tick.value, load);
    return (
        <div class="query-result" ref={ref}>
            <div class="query-bar">
                <Tabs
                    label="Result as"
                    tabs={[
                        { id: 'table', text: 'Table', icon: 'table' },
                        { id: 'graph', text: 'Graph', icon: 'chart' },
                        { id: 'explain', text: 'Explain', icon: 'tree' },
                    ]}
                    active={panel.tab}
                    onSelect={(tab) => onChange({ ...panel, tab })}
                    panel={id}
                />
                {panel.tab === 'graph' && (
                    <>
                        <Button icon="stack" aria-pressed={panel.stacked} onClick={() => onChange({ ...panel, stacked: !panel.stacked })}>
                            Stack
                        </Button>
                        <UnitSelect panel={panel} onChange={onChange} />
                    </>
                )}
                {data !== undefined && error === undefined && <SaveCsv shown={data} />}
                {data !== undefined && error === undefined && <Stats shown={data} tab={panel.tab} />}
            </div>
            <div id={id} role="tabpanel" class={`query-body ${panel.tab === 'graph' && asked && error === undefined ? 'query-body-graph' : ''}`} aria-busy={loading}>
                {error !== undefined && <ErrorBox error={error} query={panel.expr} onRetry={refreshNow} />}
                {data !== undefined && error === undefined && <Remarks answer={data.answer} />}
                {!asked && (
                    <Empty title="Nothing asked yet">
                        Type a metric name and press Enter. Completion knows every metric, label and function; Shift+Enter makes a new line.
                    </Empty>
                )}
                {asked && data === undefined && error === undefined && <Loading text="" />}
                {data !== undefined && error === undefined && <Data shown={data} panel={panel} />}
            </div>
        </div>
    );
}

const units: readonly [string, string][] = [
    ['short', 'Number'], ['bytes', 'Bytes'], ['Bps', 'Bytes a second'], ['s', 'Seconds'], ['ms', 'Milliseconds'],
    ['percentunit', 'Share (1 = 100%)'], ['percent', 'Percent'], ['reqps', 'Requests a second'], ['hertz', 'Hertz'], ['celsius', 'Celsius'],
];

function UnitSelect({ panel, onChange }: Pick<ResultProps, 'panel' | 'onChange'>) {
    const guessed = queryUnit(panel.expr);
    const automatic = units.find(([id]) => id === guessed)?.[1] ?? guessed;
    const given = panel.unit !== '' && !units.some(([id]) => id === panel.unit) ? [{ value: panel.unit, text: panel.unit }] : [];
    const options = [{ value: '', text: `Auto: ${automatic.toLowerCase()}` }, ...units.map(([value, text]) => ({ value, text })), ...given];
    return <Select label="Unit of the values" value={panel.unit} options={options} onChange={(unit) => onChange({ ...panel, unit })} />;
}

function SaveCsv({ shown }: { shown: Shown }) {
    const { data } = shown.answer;
    if (data.resultType !== 'vector' && data.resultType !== 'matrix') return null;
    if (data.result.length === 0) return null;
    return <Button kind="plain" icon="download" label="Save as CSV" onClick={() => saveText('query.csv', 'text/csv', csv(data))} />;
}

function Stats({ shown, tab }: { shown: Shown; tab: QueryPanel['tab'] }) {
    const { data, elapsed } = shown.answer;
    const samples = data.stats?.samples?.totalQueryableSamples;
    const vector = data.resultType === 'vector' || data.resultType === 'matrix';
    const parts = [
        vector && `${data.result.length.toLocaleString('en')} series`,
        `${formatRounded('ms', elapsed)}`,
        tab !== 'table' && `step ${formatDuration(shown.step)}`,
        samples !== undefined && `${formatRounded('short', samples)} samples read`,
    ];
    return (
        <p class="query-stats" data-query-stats>
            {parts.filter((p) => p !== false).join(' · ')}
        </p>
    );
}

function Remarks({ answer }: { answer: Answer<QueryData> }) {
    const list = (texts: readonly string[]) => texts.map((text) => <p key={text}>{text}</p>);
    return (
        <>
            {answer.warnings.length > 0 && <Notice kind="warning">{list(answer.warnings)}</Notice>}
            {answer.infos.length > 0 && <Notice kind="info">{list(answer.infos)}</Notice>}
        </>
    );
}

const graphHeight = 320;

function Data({ shown, panel }: { shown: Shown; panel: QueryPanel }) {
    const { data } = shown.answer;
    if (panel.tab === 'table') return <ResultTable data={data} />;
    if (panel.tab === 'explain') return <Explain cost={data.explain} />;
    if (data.resultType !== 'matrix') return <Empty title="This result cannot be drawn">Look at it as a table.</Empty>;
    return <Graph shown={shown} panel={panel} />;
}

function Graph({ shown, panel }: { shown: Shown; panel: QueryPanel }) {
    const { data } = shown.answer;
    const frame = useFrame(data, shown.step, panel.expr);
    if (data.result.length === 0) {
        return (
            <Empty title="No series in this time range">
                The query is valid and matches nothing here. Check label values, or widen the range; <code>rate()</code> needs two samples inside its window.
            </Empty>
        );
    }
    const histograms = data.resultType === 'matrix' ? data.result.filter((m) => (m.histograms?.length ?? 0) > 0).length : 0;
    if (frame.lines.length === 0) {
        return (
            <Empty title={histograms > 0 ? 'Native histograms are not lines' : 'Nothing but gaps'}>
                {histograms > 0 ? (
                    <>
                        Ask <code>histogram_quantile(0.95, …)</code>, <code>histogram_avg(…)</code> or <code>histogram_count(…)</code> of them, or look at the table.
                    </>
                ) : (
                    'Every value in this range is NaN or infinite.'
                )}
            </Empty>
        );
    }
    return (
        <Chart title={panel.expr} frame={frame} span={shown.span} unit={panel.unit === '' ? queryUnit(panel.expr) : panel.unit} stacked={panel.stacked} height={graphHeight} legend="list" />
    );
}

/** Built once an answer, not once a render. A series without labels is named by what was asked. */
function useFrame(data: QueryData, step: number, expr: string) {
    const built = useRef<{ data: QueryData; frame: ReturnType<typeof buildFrame> } | null>(null);
    if (built.current?.data !== data) {
        const matrix = data.resultType === 'matrix' ? data.result : [];
        const frame = buildFrame([{ matrix }], step / 1000);
        const lines = frame.lines.map((l) => (l.name === '{}' ? { ...l, name: expr.replace(/\s+/g, ' ').trim() } : l));
        built.current = { data, frame: { ...frame, lines } };
    }
    return built.current.frame;
}
