// SPDX-License-Identifier: Apache-2.0
//
// The UI's step in the program's build: `node assets.mjs OUT DEPFILE` installs the packages when the lock file
// has changed, builds, and embeds. Silent unless something fails. DEPFILE tells ninja which sources were read,
// so that it runs again only when one of them changes.
//
// Several build folders share one node_modules: the caller holds a lock (see meson.build).

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('..', import.meta.url));
const embed = fileURLToPath(new URL('../../tools/embed-web', import.meta.url));
const [out, depfile] = process.argv.slice(2).map((p) => resolve(p));
const dist = join(out, 'dist');

function run(what, command, args) {
    const result = spawnSync(command, args, { cwd: web, encoding: 'utf8' });
    if (result.error === undefined && result.status === 0) return;
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
    process.stderr.write(`web: error: ${what} failed${result.error === undefined ? '' : `: ${result.error.message}`}\n`);
    process.exit(1);
}

function install() {
    const stamp = join(web, 'node_modules', '.installed');
    const wanted = createHash('sha256').update(readFileSync(join(web, 'package-lock.json'))).digest('hex');
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
    run('installing packages (npm ci)', 'npm', ['ci', '--no-audit', '--no-fund']);
    writeFileSync(stamp, wanted);
}

function sources(folder) {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const path = join(folder, entry.name);
        // The folder itself is listed too: its time changes when a file comes or goes.
        return entry.isDirectory() ? [path, ...sources(path)] : [path];
    });
}

const escaped = (path) => path.replace(/ /g, '\\ ');

install();
rmSync(dist, { recursive: true, force: true });
run('building the UI', process.execPath, [join(web, 'node_modules/vite/bin/vite.js'), 'build', '--outDir', dist, '--logLevel', 'warn']);
run('embedding the UI', process.execPath, [embed, dist, out]);
const src = join(web, 'src');
writeFileSync(depfile, `${escaped(join(out, 'assets.S'))}: ${[src, ...sources(src)].map(escaped).join(' ')}\n`);
