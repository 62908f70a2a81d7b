// SPDX-License-Identifier: Apache-2.0
//
// Unit tests: compiles src/**/*.test.ts and what they import with tsc, then runs them with node's own runner.
// Prints TAP; the exit status is the result.

import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('..', import.meta.url));
const out = join(web, '.test-build');

function run(args) {
    const { status } = spawnSync(process.execPath, args, { cwd: web, stdio: 'inherit' });
    if (status !== 0) process.exit(status ?? 1);
}

function tests(folder) {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const path = join(folder, entry.name);
        return entry.isDirectory() ? tests(path) : path.endsWith('.test.js') ? [path] : [];
    });
}

rmSync(out, { recursive: true, force: true });
run([join(web, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.test.json']);
run(['--test', '--test-reporter=tap', ...tests(out)]);
