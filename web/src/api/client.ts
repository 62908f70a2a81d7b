// SPDX-License-Identifier: Apache-2.0
//
// The Prometheus HTTP API v1. Every call takes an AbortSignal, because a page that is left or a range that
// is changed must not keep the server busy.

import { basePath } from '../app/base.ts';
import { columnsType, decodeColumns } from './columns.ts';
import { answered, counted, unreachable } from './connection.ts';
import { ApiError } from './error.ts';
import type { Answer, Block, Envelope, Labels, Metadata, NunchiStatus, QueryData, Targets, TsdbStatus } from './types.ts';

type Params = Record<string, string | number | undefined | readonly string[]>;

/** Addresses longer than this go as a POST body: proxies in between refuse long ones. */
const addressBytesMax = 1500;

function encode(params: Params): URLSearchParams {
    const out = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) {
        if (value === undefined) continue;
        if (Array.isArray(value)) value.forEach((v) => out.append(name, v));
        else out.append(name, String(value));
    }
    return out;
}

interface Raw {
    status: number;
    body: string | ArrayBuffer;
}

/** Range queries may come as columns; a server that does not know them answers in JSON. */
const accepted = (path: string) => (path === 'query_range' ? `${columnsType}, application/json;q=0.9` : 'application/json');

async function send(path: string, params: Params, signal: AbortSignal | undefined): Promise<Raw> {
    const body = encode(params);
    const text = body.toString();
    const address = `${basePath}api/v1/${path}`;
    const options: RequestInit = { headers: { Accept: accepted(path) }, credentials: 'same-origin', signal: signal ?? null };
    const long = text.length > addressBytesMax;
    try {
        const asked = long ? fetch(address, { ...options, method: 'POST', body }) : fetch(text === '' ? address : `${address}?${text}`, options);
        const response = await asked;
        const columns = response.headers.get('Content-Type')?.startsWith(columnsType) ?? false;
        const answer = { status: response.status, body: columns ? await response.arrayBuffer() : await response.text() };
        answered();
        return answer;
    } catch (cause) {
        if (signal?.aborted === true) throw new ApiError('canceled', 'canceled');
        unreachable();
        throw new ApiError('network', cause instanceof Error ? cause.message : String(cause));
    }
}

function decode<T>({ status, body }: Raw): Envelope<T> {
    const text = typeof body === 'string' ? body : 'the columnar answer is damaged';
    try {
        return (typeof body === 'string' ? JSON.parse(body) : decodeColumns(body)) as Envelope<T>;
    } catch {
        if (status === 404) throw new ApiError('not_found', 'this server does not have that endpoint', 404);
        throw new ApiError('internal', text.slice(0, 500).trim() || `status ${status}`, status);
    }
}

export async function request<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<Answer<T>> {
    const started = performance.now();
    const raw = await counted(send(path, params, signal));
    const envelope = decode<T>(raw);
    if (envelope.status !== 'success' || envelope.data === undefined) {
        throw new ApiError(envelope.errorType ?? 'internal', envelope.error ?? `status ${raw.status}`, raw.status);
    }
    return {
        data: envelope.data,
        warnings: envelope.warnings ?? [],
        infos: envelope.infos ?? [],
        elapsed: performance.now() - started,
    };
}

const seconds = (ms: number) => (ms / 1000).toFixed(3);

/** `at` in milliseconds. */
export function queryInstant(query: string, at: number, signal?: AbortSignal): Promise<Answer<QueryData>> {
    return request('query', { query, time: seconds(at), stats: 'true' }, signal);
}

/** All times in milliseconds. */
export function queryRange(query: string, from: number, to: number, step: number, signal?: AbortSignal, explain = false): Promise<Answer<QueryData>> {
    const asked = { query, start: seconds(from), end: seconds(to), step: step / 1000, stats: 'true', explain: explain ? 'true' : undefined };
    return request('query_range', asked, signal);
}

/** Without times: of everything stored. */
interface Scope {
    from?: number;
    to?: number;
    limit?: number;
}

function scoped({ from, to, limit }: Scope): Params {
    return { start: from === undefined ? undefined : seconds(from), end: to === undefined ? undefined : seconds(to), limit };
}

export function labelNames(match: readonly string[], signal?: AbortSignal, scope: Scope = {}): Promise<Answer<string[]>> {
    return request('labels', { 'match[]': match, ...scoped(scope) }, signal);
}

export function labelValues(name: string, match: readonly string[], signal?: AbortSignal, scope: Scope = {}): Promise<Answer<string[]>> {
    return request(`label/${encodeURIComponent(name)}/values`, { 'match[]': match, ...scoped(scope) }, signal);
}

export function series(match: readonly string[], from: number, to: number, signal?: AbortSignal): Promise<Answer<Labels[]>> {
    return request('series', { 'match[]': match, start: seconds(from), end: seconds(to) }, signal);
}

export function metadata(signal?: AbortSignal): Promise<Answer<Record<string, Metadata[]>>> {
    return request('metadata', {}, signal);
}

export function targets(signal?: AbortSignal): Promise<Answer<Targets>> {
    return request('targets', {}, signal);
}

export const status = {
    build: (signal?: AbortSignal) => request<Record<string, string>>('status/buildinfo', {}, signal),
    runtime: (signal?: AbortSignal) => request<Record<string, string | number | boolean>>('status/runtimeinfo', {}, signal),
    flags: (signal?: AbortSignal) => request<Record<string, string>>('status/flags', {}, signal),
    config: (signal?: AbortSignal) => request<{ yaml: string }>('status/config', {}, signal),
    tsdb: (signal?: AbortSignal) => request<TsdbStatus>('status/tsdb', {}, signal),
    blocks: (signal?: AbortSignal) => request<{ blocks: Block[] }>('status/tsdb/blocks', {}, signal),
    nunchi: (signal?: AbortSignal) => request<NunchiStatus>('status/nunchi', {}, signal),
};
