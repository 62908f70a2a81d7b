#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
//
// Bytes and time to read of the two forms of a range query's answer: JSON, and the columns that the UI asks for.
// NUNCHI_URL is a server's address; its store gets 1,000 series over one hour at 15 s: a sixth each of counters,
// noise, hundredths, small gauges, constants and bytes. Times are the median of nine, in this process.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

const base = (process.env.NUNCHI_URL ?? 'http://127.0.0.1:9090').replace(/\/$/, '');
const root = fileURLToPath(new URL('..', import.meta.url));
const [seriesCount, step, points] = [1000, 15, 241];
const end = Math.floor(Date.now() / 1000 / step) * step - step;
const start = end - (points - 1) * step;

let seed = 1;
const random = () => (seed = (seed * 1664525 + 1013904223) >>> 0) / 4294967296;
const walk = (from, next) => {
    let v = from;
    return () => (v = next(v));
};
const kinds = [
    () => walk(Math.floor(random() * 1e6), (v) => v + Math.floor(random() * 100)),
    () => () => random() * 10,
    () => () => Math.round(random() * 1000) / 100,
    () => walk(50, (v) => Math.max(0, v + Math.round(random() * 4 - 2))),
    () => () => 1,
    () => walk(3e9, (v) => Math.round((v + random() * 1e6) / 4096) * 4096),
];

/** OTLP in JSON: needs no library. */
async function fill() {
    const metrics = Array.from({ length: seriesCount }, (_, i) => {
        const value = kinds[i % kinds.length]();
        const attributes = [{ key: 'instance', value: { stringValue: `host${i}:9100` } }, { key: 'job', value: { stringValue: 'node' } }];
        const dataPoints = Array.from({ length: points }, (_, k) => ({ attributes, timeUnixNano: `${start + k * step}000000000`, asDouble: value() }));
        return { name: 'bench_columns', gauge: { dataPoints } };
    });
    for (let at = 0; at < metrics.length; at += 100) {
        const body = JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics: metrics.slice(at, at + 100) }] }] });
        const answer = await fetch(`${base}/api/v1/otlp/v1/metrics`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
        if (!answer.ok) throw new Error(await answer.text());
    }
}

async function ask(accept) {
    const query = new URLSearchParams({ query: 'bench_columns', start, end, step });
    const answer = await fetch(`${base}/api/v1/query_range?${query}`, { headers: { Accept: accept, 'Accept-Encoding': 'identity' } });
    if (!answer.ok) throw new Error(await answer.text());
    return Buffer.from(await answer.arrayBuffer());
}

function median(run) {
    const times = Array.from({ length: 9 }, () => {
        const begin = performance.now();
        run();
        return performance.now() - begin;
    });
    return times.sort((a, b) => a - b)[4];
}

/** The UI's own decoder, compiled by the UI's own compiler. */
async function load(out) {
    const tsc = join(root, 'web/node_modules/typescript/bin/tsc');
    const options = ['--target', 'es2022', '--module', 'es2022', '--moduleResolution', 'bundler', '--rewriteRelativeImportExtensions', '--outDir', out];
    execFileSync(process.execPath, [tsc, ...options, '--lib', 'es2022,dom', '--strict', join(root, 'web/src/api/columns.ts'), join(root, 'web/src/api/points.ts')]);
    const module = (name) => import(pathToFileURL(join(out, name)).href);
    return { ...(await module('columns.js')), ...(await module('points.js')) };
}

const out = mkdtempSync(join(tmpdir(), 'columns-'));
process.on('exit', () => rmSync(out, { recursive: true, force: true }));
const { columnsType, decodeColumns, pointsOf } = await load(out);
/** What a chart does: every number once. */
function sum(result) {
    let total = 0;
    for (const entry of result) {
        const p = pointsOf(entry);
        for (let i = 0; i < p.length; i++) total += p.value(i);
    }
    return total;
}

await fill();
const [json, columns] = [await ask('application/json'), await ask(columnsType)];
const text = json.toString();
const buffer = columns.buffer.slice(columns.byteOffset, columns.byteOffset + columns.byteLength);
const forms = [
    ['JSON', json, () => sum(JSON.parse(text).data.result)],
    ['columns', columns, () => sum(decodeColumns(buffer).data.result)],
];
if (forms[0][2]() !== forms[1][2]()) throw new Error('the two forms have different values');
console.log(`${seriesCount} series x ${points} points`);
for (const [name, bytes, read] of forms) {
    console.log(`${name.padEnd(8)} ${String(bytes.length).padStart(8)} bytes, gzip -1 ${String(gzipSync(bytes, { level: 1 }).length).padStart(8)}, read ${median(read).toFixed(1)} ms`);
}
