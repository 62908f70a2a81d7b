// SPDX-License-Identifier: Apache-2.0
//
// The address as a signal, and the one way to change it. The router owns navigation; this only lets
// code outside of components read and write the parameters of the page that is open.

import { computed, signal } from '@preact/signals';
import { basePath } from '../app/base.ts';
import { absoluteRange, type Span } from '../time/range.ts';
import { decodeRange, dropPanelRange, encodeRange } from './params.ts';

type Go = (address: string, replace?: boolean) => void;

export const search = signal(window.location.search);

/** Path below the base: `query`, `targets`, empty for the start page. */
export const page = signal(pageOf(window.location.pathname));

export const params = computed(() => new URLSearchParams(search.value));

function pageOf(path: string): string {
    return path.startsWith(basePath) ? path.slice(basePath.length).replace(/\/$/, '') : '';
}

let go: Go = (address) => window.location.assign(address);

/** Called by the shell on each navigation. */
export function attach(route: Go): void {
    go = route;
    search.value = window.location.search;
    page.value = pageOf(window.location.pathname);
}

/** Keeps the page, changes its parameters. */
export function updateParams(change: (params: URLSearchParams) => void, replace = false): void {
    const next = new URLSearchParams(window.location.search);
    change(next);
    open(page.value, next, replace);
}

export function open(to: string, next: URLSearchParams, replace = false): void {
    const text = next.toString();
    go(basePath + to + (text === '' ? '' : `?${text}`), replace);
}

/** This page at a fixed range. */
export function hrefHere(span: Span): string {
    const next = new URLSearchParams(params.value);
    dropPanelRange(next);
    encodeRange(next, absoluteRange(span));
    return `${basePath}${page.value}?${next.toString()}`;
}

/** Link to another page that carries the time range along. */
export function hrefTo(to: string, change?: (params: URLSearchParams) => void): string {
    const next = new URLSearchParams();
    encodeRange(next, decodeRange(params.value, Date.now()));
    change?.(next);
    const text = next.toString();
    return basePath + to + (text === '' ? '' : `?${text}`);
}
