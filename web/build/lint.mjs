// SPDX-License-Identifier: Apache-2.0
//
// Rules that the compiler does not know: nothing that the content security policy would refuse or that turns
// text into markup or code, no address of another host, a licence line in every file.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('..', import.meta.url));

const forbidden = [
    [/\b(inner|outer)HTML\b|insertAdjacentHTML|document\.write\b/, 'markup made from text'],
    [/dangerouslySetInnerHTML/, 'markup made from text'],
    [/\beval\s*\(|new Function\s*\(|set(Timeout|Interval)\(\s*['"`]/, 'code made from text'],
    [/\sstyle="|<style[\s>]/, 'an inline style: the policy refuses it'],
    [/\son[a-z]+="/, 'an inline event handler: the policy refuses it'],
    [/\b(https?:)?\/\/(?!www\.w3\.org\/2000\/svg|prometheus\.io\/docs)[a-z0-9-]+\.[a-z]{2,}/i, 'an address of another host'],
    [/\bas any\b|: any\b|@ts-(ignore|nocheck)/, 'an escape from the type checker'],
];

function files(folder) {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const path = join(folder, entry.name);
        return entry.isDirectory() ? files(path) : [path];
    });
}

let failures = 0;
for (const path of [...files(join(web, 'src')), join(web, 'index.html')]) {
    const name = relative(web, path);
    const lines = readFileSync(path, 'utf8').split('\n');
    const report = (line, text) => {
        process.stderr.write(`${name}:${line}: error: ${text}\n`);
        failures++;
    };
    if (/\.(tsx?|css)$/.test(path) && !lines[0].includes('SPDX-License-Identifier: Apache-2.0')) report(1, 'no licence line');
    lines.forEach((line, i) => {
        for (const [pattern, what] of forbidden) if (pattern.test(line)) report(i + 1, what);
    });
}
if (failures > 0) process.exit(1);
