// SPDX-License-Identifier: Apache-2.0
//
// One kind of error for everything that can go wrong between a page and the server, with the position
// in the query when the server names one.

export type ErrorKind = 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'unavailable' | 'internal' | 'not_found' | 'network' | string;

export class ApiError extends Error {
    readonly kind: ErrorKind;
    readonly status: number;

    constructor(kind: ErrorKind, message: string, status = 0) {
        super(message);
        this.kind = kind;
        this.status = status;
    }
}

export interface LocatedMessage {
    message: string;
    /** Both count from 1; absent when the text names no place. */
    line?: number;
    column?: number;
}

/**
 * The server reports a place in a query as `line:column: parse error: ...`, possibly behind the name of the
 * parameter. The place is cut out of the text, because the UI points at it instead.
 */
export function locate(text: string): LocatedMessage {
    const match = /^(?:invalid parameter "[^"]*": )?(\d+):(\d+): (?:parse error: |error: )?([\s\S]*)$/.exec(text);
    if (match === null) return { message: text.replace(/^invalid parameter "[^"]*": /, '') };
    return { line: Number(match[1]), column: Number(match[2]), message: match[3] };
}

/** The query's line with a caret under the place, in two lines of the same width; null if the place is not in the query. */
export function caret(query: string, at: LocatedMessage): { source: string; marker: string } | null {
    if (at.line === undefined || at.column === undefined) return null;
    const source = query.split('\n')[at.line - 1];
    if (source === undefined || at.column < 1 || at.column > source.length + 1) return null;
    return { source, marker: ' '.repeat(at.column - 1) + '^' };
}

export const title: Record<string, string> = {
    bad_data: 'The query is not valid',
    execution: 'The query failed',
    timeout: 'The query took too long',
    unavailable: 'The server is not ready',
    not_found: 'Not found',
    network: 'The server does not answer',
    internal: 'The server failed',
};
