// SPDX-License-Identifier: Apache-2.0
//
// Keeps the download small: prints each chunk compressed and fails when a group is over its budget.
// `node size.mjs [DIST]`; without an argument it looks at what `npm run build` or the program's build left.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const kB = 1000;

/** The first pattern that fits a file name is its group. */
const groups = [
    { name: 'entry', pattern: /^(app|index)-/, budget: 60 * kB },
    { name: 'chart', pattern: /^u?plot-/, budget: 30 * kB },
    { name: 'editor', pattern: /^(editor|codemirror)-/, budget: 150 * kB },
    { name: 'pages', pattern: /./, budget: 60 * kB },
];

const places = process.argv.length > 2 ? [process.argv[2]] : ['../dist', '../../build/web/dist'].map((p) => fileURLToPath(new URL(p, import.meta.url)));
const assets = places.map((p) => join(p, 'assets')).find(existsSync);
if (assets === undefined) {
    process.stderr.write(`size: error: nothing is built in ${places.join(' or ')}; run \`npm run build\` first\n`);
    process.exit(1);
}

const totals = new Map(groups.map((g) => [g.name, 0]));
for (const name of readdirSync(assets).sort()) {
    const size = gzipSync(readFileSync(join(assets, name)), { level: 9 }).length;
    const group = groups.find((g) => g.pattern.test(name));
    totals.set(group.name, totals.get(group.name) + size);
    process.stdout.write(`${String(size).padStart(8)}  ${name}\n`);
}

let failed = false;
for (const { name, budget } of groups) {
    const size = totals.get(name);
    const over = size > budget;
    failed ||= over;
    process.stdout.write(`${over ? 'FAIL' : 'ok  '} ${name.padEnd(7)} ${size} of ${budget} bytes, gzip\n`);
}
if (failed) process.exit(1);
