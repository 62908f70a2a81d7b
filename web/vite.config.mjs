// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { defineConfig } from 'vite';

// The policy that the server sends. `vite preview` sends it too, so that a violation is seen here
// first; `vite dev` cannot, because its hot reload injects style elements.
export const contentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const server = process.env.NUNCHI_URL ?? 'http://127.0.0.1:9090';
const proxy = Object.fromEntries(['/api', '/metrics', '/-'].map((path) => [path, server]));

// The licence list comes from the lock file: it holds exactly what `npm ci` installs, and what is
// marked "dev" there never reaches the bundle.
function licences() {
    const id = 'virtual:licences';
    return {
        name: 'nunchi-licences',
        resolveId: (source) => (source === id ? '\0' + id : null),
        load(resolved) {
            if (resolved !== '\0' + id) return null;
            const file = new URL('./package-lock.json', import.meta.url);
            this.addWatchFile(file.pathname);
            const { packages } = JSON.parse(readFileSync(file, 'utf8'));
            const list = Object.entries(packages)
                .filter(([path, entry]) => path !== '' && !entry.dev)
                .map(([path, { version, license }]) => ({
                    name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
                    version,
                    licence: license ?? 'unknown',
                }));
            return `export default ${JSON.stringify(list)};`;
        },
    };
}

export default defineConfig({
    // Every address in the output is relative: the server may sit under any path prefix.
    base: './',
    plugins: [licences()],
    build: {
        target: 'es2022',
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        chunkSizeWarningLimit: 600,
        reportCompressedSize: false,
        rollupOptions: {
            output: {
                entryFileNames: 'assets/app-[hash].js',
                manualChunks: (id) => {
                    if (/node_modules\/(@codemirror|@lezer|@prometheus-io|style-mod|crelt|w3c-keyname|@marijn)\//.test(id)) return 'editor';
                    if (/node_modules\/uplot\//.test(id)) return 'uplot';
                    return undefined;
                },
            },
        },
    },
    server: { proxy },
    preview: { proxy, headers: { 'Content-Security-Policy': contentSecurityPolicy } },
});
