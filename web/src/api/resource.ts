// SPDX-License-Identifier: Apache-2.0
//
// The life of an answer on a page. A resource is named by a key; while the key stays the same a reload
// keeps the old answer on screen, and when the component goes or the key changes the request is aborted.
// Components that ask for the same key at the same tick share one request.

import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from './error.ts';

export interface Resource<T> {
    data: T | undefined;
    error: ApiError | undefined;
    loading: boolean;
}

interface Flight {
    promise: Promise<unknown>;
    abort: AbortController;
    users: number;
}

const flights = new Map<string, Flight>();

function join<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Flight {
    const existing = flights.get(key);
    if (existing !== undefined) {
        existing.users++;
        return existing;
    }
    const abort = new AbortController();
    const promise = load(abort.signal).finally(() => {
        if (flights.get(key) === flight) flights.delete(key);
    });
    const flight: Flight = { promise, abort, users: 1 };
    flights.set(key, flight);
    return flight;
}

function leave(key: string, flight: Flight) {
    if (--flight.users > 0) return;
    flight.abort.abort();
    if (flights.get(key) === flight) flights.delete(key);
}

function asApiError(cause: unknown): ApiError {
    if (cause instanceof ApiError) return cause;
    return new ApiError('internal', cause instanceof Error ? cause.message : String(cause));
}

/**
 * Loads when `key` or `tick` changes; a null key loads nothing. `key` says what is asked, `tick` when: a new
 * tick reloads behind the answer that is shown, a new key clears it unless `keep` is set.
 */
export function useResource<T>(
    key: string | null,
    tick: number,
    load: (signal: AbortSignal) => Promise<T>,
    keep = false,
): Resource<T> {
    const [state, setState] = useState<Resource<T>>({ data: undefined, error: undefined, loading: key !== null });
    const shown = useRef<string | null>(null);
    useEffect(() => {
        if (key === null) {
            setState({ data: undefined, error: undefined, loading: false });
            return undefined;
        }
        let live = true;
        const fresh = shown.current !== key && !keep;
        shown.current = key;
        setState((s) => ({ data: fresh ? undefined : s.data, error: fresh ? undefined : s.error, loading: true }));
        const name = `${tick} ${key}`;
        const flight = join(name, load);
        flight.promise.then(
            (data) => live && setState({ data: data as T, error: undefined, loading: false }),
            (cause: unknown) => {
                const error = asApiError(cause);
                if (live && error.kind !== 'canceled') setState((s) => ({ data: s.data, error, loading: false }));
            },
        );
        return () => {
            live = false;
            leave(name, flight);
        };
    }, [key, tick]);
    return state;
}
