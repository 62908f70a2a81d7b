// SPDX-License-Identifier: Apache-2.0
//
// A panel is data: what to ask, how to name it, how to draw it. Pages hold tables of these.

export interface PanelQuery {
    /** PromQL with `$variables`; `$window` is the rate window that fits the step. */
    expr: string;
    /** `{{label}}` template. */
    legend?: string;
    /** Drawn below zero: what goes out against what comes in. */
    mirrored?: boolean;
    /** A thin dashed line without fill: a limit to compare with. */
    dashed?: boolean;
}

export interface PanelDef {
    id: string;
    title: string;
    /** One sentence: what it shows and when to worry. */
    help: string;
    unit: string;
    queries: readonly PanelQuery[];
    /** `bars` shows the present as one bar a series: first query 0..1, second the free amount, third the whole. */
    kind?: 'lines' | 'bars';
    stacked?: boolean;
    /** Names in the order to draw and list them, lowest first; others come after. */
    order?: readonly string[];
    min?: number;
    max?: number;
}

export type Variables = Record<string, string>;

/** Replaces `$name`; an unknown name stays, so that the server's error shows it. */
export function interpolate(expr: string, variables: Variables): string {
    return expr.replace(/\$([a-zA-Z_]\w*)/g, (whole, name: string) => variables[name] ?? whole);
}
