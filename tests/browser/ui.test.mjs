// SPDX-License-Identifier: Apache-2.0
//
// The UI in a real browser against a real server: what no unit test can see. NUNCHI_URL is the server's
// address; tests/browser/run starts one when it is not set. Ends with 77 (skipped) when there is no Chromium,
// and fails then under CI=true. NUNCHI_SCREENSHOTS=DIR keeps a picture of each page in each theme and size.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const base = (process.env.NUNCHI_URL ?? '').replace(/\/$/, '');
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const screenshots = process.env.NUNCHI_SCREENSHOTS;

if (base === '') {
    console.error('ui.test: NUNCHI_URL is not set; run tests/browser/run');
    process.exit(2);
}
if (!existsSync(executablePath)) {
    console.log(`1..0 # SKIP no browser at ${executablePath}: install the package chromium`);
    process.exit(process.env.CI === 'true' ? 1 : 77);
}

const { chromium } = createRequire(new URL('../../web/package.json', import.meta.url))('playwright-core');

/** Longest wait for something that depends on a scrape; the default interval is five seconds. */
const dataMs = 20_000;
const wide = { width: 1280, height: 800 };
const narrow = { width: 390, height: 844 };

const browser = await chromium.launch({
    executablePath,
    args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync',
    ],
});

const contexts = [];

/** A fresh browser profile; whatever the page must not do is collected in `faults`. */
async function visit(options = {}) {
    const context = await browser.newContext({ viewport: wide, reducedMotion: 'reduce', ...options });
    contexts.push(context);
    const page = await context.newPage();
    const faults = [];
    const expected = [];
    page.on('console', (m) => {
        // Prometheus itself, which the UI works with too, has no such address; the page goes without it.
        if (m.location().url.endsWith('/api/v1/status/nunchi')) return;
        if (m.type() === 'error' && !expected.some((pattern) => pattern.test(m.text()))) faults.push(`console: ${m.text()}`);
    });
    page.on('pageerror', (e) => faults.push(`exception: ${e.message}`));
    page.on('request', (r) => {
        const url = new URL(r.url());
        if (url.protocol !== 'data:' && url.origin !== new URL(base).origin) faults.push(`request to another host: ${r.url()}`);
    });
    page.setDefaultTimeout(dataMs);
    return { page, faults, expected };
}

/**
 * Polls until the function is true in the page. Playwright's own waitForFunction evaluates text there, which
 * the content security policy forbids.
 */
async function until(page, what, condition, argument) {
    const deadline = Date.now() + dataMs;
    while (!(await page.evaluate(condition, argument))) {
        if (Date.now() > deadline) throw new Error(`not within ${dataMs} ms: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

/** Until no call has been out for half a second; the stream of notifications, which is always open, is none. */
async function quiet(page) {
    let since = Date.now();
    await until(page, 'the page comes to rest', () => document.querySelector('.progress') !== null);
    while (Date.now() - since < 500) {
        if (await page.evaluate(() => document.querySelector('.progress.is-busy') !== null)) since = Date.now();
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

/** How many pixels of a canvas are neither empty nor nearly transparent. */
const drawnPixels = (canvas) =>
    canvas.evaluate((element) => {
        const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height);
        let count = 0;
        for (let i = 3; i < data.length; i += 4) if (data[i] > 200) count++;
        return count;
    });

/** Waits until a line is drawn: lines are the only saturated colours on a chart. */
async function waitForLine(page, scope) {
    await until(
        page,
        `a line in ${scope}`,
        (selector) => {
            const canvas = document.querySelector(`${selector} canvas`);
            if (canvas === null) return false;
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            let coloured = 0;
            for (let i = 0; i < data.length; i += 4) {
                const spread = Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]);
                if (data[i + 3] > 120 && spread > 60) coloured++;
            }
            return coloured > 20;
        },
        scope,
    );
}

async function noSidewaysScroll(page, what) {
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= page.viewportSize().width, `${what} is ${width} px wide in a window of ${page.viewportSize().width}`);
}

async function picture(page, name) {
    if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

async function typeQuery(page, text) {
    await page.locator('.promql-editor .cm-content').first().waitFor();
    await page.locator('.promql-editor .cm-content').first().click();
    await page.keyboard.press('Control+a');
    // Completion opens while typing and takes Enter: Escape closes it first.
    await page.keyboard.type(text);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Enter');
}

const tests = {
    async 'the start page draws this host'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/`);
        for (const panel of ['cpu', 'load', 'memory', 'self-memory']) {
            await page.locator(`[data-panel="${panel}"]`).scrollIntoViewIfNeeded();
            await waitForLine(page, `[data-panel="${panel}"]`);
        }
        await page.locator('[data-panel="filesystem"]').scrollIntoViewIfNeeded();
        await page.locator('[data-panel="filesystem"] meter').first().waitFor();
        await until(page, 'a number in the memory tile', () => /\d/.test(document.querySelector('[data-tile="memory"] .tile-value')?.textContent ?? ''));
        assert.deepEqual(faults, []);
    },

    async 'the start page draws the server itself'() {
        // Prometheus has other names for its own metrics.
        if (!(await fetch(`${base}/api/v1/status/nunchi`)).ok) return;
        const { page, faults } = await visit({ viewport: { width: 1280, height: 2400 } });
        await page.goto(`${base}/`);
        await page.locator('[data-panel="self-memory"]').waitFor();
        const panels = await page.locator('[data-panel^="self-"]').evaluateAll((list) => list.map((e) => e.dataset.panel));
        assert.ok(panels.length > 5);
        for (const panel of panels) await waitForLine(page, `[data-panel="${panel}"]`);
        assert.deepEqual(faults, []);
    },

    async 'a panel leads to its query'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/`);
        await page.locator('[data-panel="load"] .panel-title a').click();
        await page.waitForURL(/\/query\?/);
        await page.locator('.query').nth(3).waitFor();
        assert.match(await page.locator('.promql-editor .cm-content').first().innerText(), /node_load1\{/);
        await waitForLine(page, '.query');
        assert.deepEqual(faults, []);
    },

    async 'a query is typed, completed, drawn and listed'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/query`);
        await page.locator('.promql-editor .cm-content').click();
        await page.keyboard.type('node_loa');
        await page.locator('.cm-tooltip-autocomplete li', { hasText: 'node_load15' }).waitFor();
        await typeQuery(page, 'node_load1');
        await waitForLine(page, '.query');
        assert.ok((await drawnPixels(page.locator('.query canvas'))) > 200);
        assert.match(page.url(), /g0\.expr=node_load1&g0\.tab=0&g0\.range_input=1h/);
        assert.match(await page.locator('[data-query-stats]').innerText(), /series/);
        await page.getByRole('tab', { name: 'Table' }).click();
        await page.locator('.query tbody tr').first().waitFor();
        assert.match(await page.locator('.query tbody tr').first().innerText(), /node_load1\{/);
        await page.goBack();
        await waitForLine(page, '.query');
        assert.deepEqual(faults, []);
    },

    async 'a wrong query is pointed at'() {
        const { page, faults, expected } = await visit();
        expected.push(/status of 400/);
        await page.goto(`${base}/query`);
        await typeQuery(page, 'sum(=');
        await page.locator('.message-error .message-source').waitFor();
        assert.match(await page.locator('.message-source').innerText(), /sum\(=\)?\n {4}\^/);
        assert.deepEqual(faults, []);
    },

    async 'links made for Prometheus work'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/graph?g0.expr=up&g0.tab=1&g0.range_input=30m&g1.expr=node_load1&g1.tab=0`);
        await page.locator('.query tbody tr').first().waitFor();
        await waitForLine(page, '.query:nth-of-type(2)');
        assert.match(await page.locator('.time-text').innerText(), /30 minutes/);
        assert.deepEqual(faults, []);
    },

    async 'metrics are found, explained and asked'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/explore?from=now-1m`);
        await page.locator('.virtual-row').first().waitFor();
        await page.keyboard.press('/');
        await page.keyboard.type('load1 average');
        await page.keyboard.press('ArrowDown');
        await page.locator('.metric h2', { hasText: 'node_load1' }).waitFor();
        assert.match(page.url(), /metric=node_load1&|metric=node_load1$/);
        assert.match(await page.locator('.metric-text').innerText(), /load average/);
        await page.locator('.metric-labels', { hasText: 'instance' }).waitFor();
        await waitForLine(page, '.metric');
        await page.locator('.metric-asks a', { hasText: 'Highest' }).click();
        await page.waitForURL(/\/query\?.*max%28node_load1%29/);
        await waitForLine(page, '.query');
        assert.deepEqual(faults, []);
    },

    async 'a query is explained'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/query?g0.expr=sum(rate(node_cpu_seconds_total[1m]))&g0.tab=0&g0.range_input=5m`);
        await page.getByRole('tab', { name: 'Explain' }).click();
        await page.waitForURL(/g0\.tab=explain/);
        await page.locator('.explain tbody tr').nth(2).waitFor();
        assert.match(await page.locator('.explain tbody tr').nth(1).innerText(), /rate\(node_cpu_seconds_total\[1m\]\)/);
        assert.deepEqual(faults, []);
    },

    async 'values have units and leave as a file'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/query?g0.expr=node_memory_MemTotal_bytes&g0.tab=0&g0.range_input=5m`);
        await waitForLine(page, '.query');
        assert.match(await page.locator('.legend-value').innerText(), /[MG]iB$/);
        await page.getByLabel('Unit of the values').selectOption('s');
        await page.waitForURL(/g0\.unit=s/);
        await until(page, 'another unit', () => /year|week|day|hour/.test(document.querySelector('.legend-value')?.textContent ?? ''));
        const saved = page.waitForEvent('download');
        await page.getByRole('button', { name: 'Save as CSV' }).click();
        const text = readFileSync(await (await saved).path(), 'utf8');
        assert.match(text, /^time,__name__,instance,job,value\r\n\d{4}-\d\d-\d\dT[\d:.]+Z,node_memory_MemTotal_bytes,/);
        assert.deepEqual(faults, []);
    },

    async 'a silent server is told of, and its return'() {
        const { page, expected, faults } = await visit();
        expected.push(/ERR_(FAILED|INTERNET_DISCONNECTED)/);
        await page.goto(`${base}/targets`);
        await page.locator('.target').first().waitFor();
        await page.context().setOffline(true);
        await page.keyboard.press('d');
        await page.keyboard.press('r');
        await page.locator('[data-banner="lost"]').waitFor();
        assert.ok((await page.locator('.target').count()) > 0, 'what was there stays');
        await page.context().setOffline(false);
        await page.locator('[data-banner="lost"]').waitFor({ state: 'detached' });
        assert.deepEqual(faults, []);
    },

    async 'a server without host metrics says where to go'() {
        const { page, faults } = await visit();
        const empty = (answer) => ({ json: { status: 'success', data: answer } });
        await page.route('**/api/v1/query?*', (r) => r.fulfill(empty({ resultType: 'vector', result: [] })));
        await page.route('**/api/v1/targets*', (r) => r.fulfill(empty({ activeTargets: [], droppedTargets: [] })));
        await page.goto(`${base}/`);
        await page.locator('.place', { hasText: 'Nothing is scraped yet' }).waitFor();
        assert.equal(await page.locator('[data-panel]').count(), 0);
        assert.deepEqual(faults, []);
    },

    async 'the history is filtered and picked by keyboard'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/query`);
        await typeQuery(page, 'node_load5');
        await waitForLine(page, '.query');
        await typeQuery(page, 'node_load15');
        await page.waitForURL(/node_load15/);
        await page.getByRole('button', { name: 'History' }).click();
        await page.locator('.history-filter:focus').waitFor();
        await page.keyboard.type('load5');
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('Enter');
        await page.waitForURL(/g0\.expr=node_load5&/);
        assert.deepEqual(faults, []);
    },

    async 'targets are listed and searched'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/targets`);
        await page.locator('.target[data-health="up"]').first().waitFor();
        const all = await page.locator('.target').count();
        assert.ok(all >= 2, `${all} targets`);
        await page.keyboard.press('/');
        await page.keyboard.type('job=node');
        await until(page, 'fewer targets', (n) => document.querySelectorAll('.target').length < n, all);
        assert.match(page.url(), /search=job%3Dnode/);
        assert.deepEqual(faults, []);
    },

    async 'the status page says what runs'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/status`);
        await page.getByRole('region', { name: 'Build' }).getByText('API of Prometheus', { exact: true }).waitFor();
        await page.getByRole('tab', { name: 'Licences' }).click();
        await page.getByText('preact-iso').waitFor();
        assert.match(page.url(), /tab=licences/);
        await page.getByRole('tab', { name: 'Licences' }).press('ArrowLeft');
        await page.getByText('--storage.path').first().waitFor();
        for (const [path, text] of [['tsdb-status', 'Write-ahead log'], ['config', 'No configuration file']]) {
            await page.goto(`${base}/${path}`);
            await page.getByText(text).first().waitFor();
        }
        assert.deepEqual(faults, []);
    },

    async 'a query can be run with the keyboard alone'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/`);
        await page.locator('.tile').first().waitFor();
        await page.keyboard.press('g');
        await page.keyboard.press('q');
        await page.waitForURL(/\/query/);
        await page.locator('.promql-editor .cm-content').waitFor();
        // The field has the keyboard already: leave it, and come back by the shortcut.
        await page.keyboard.press('Shift+Tab');
        await page.keyboard.press('/');
        await page.keyboard.type('node_load5');
        await page.keyboard.press('Escape');
        await page.keyboard.press('Enter');
        await waitForLine(page, '.query');
        await page.keyboard.press('Escape');
        for (let i = 0; i < 30; i++) {
            await page.keyboard.press('Tab');
            if (await page.evaluate(() => document.activeElement?.getAttribute('role') === 'tab')) break;
        }
        await page.keyboard.press('ArrowLeft');
        await page.locator('.query tbody tr').first().waitFor();
        assert.deepEqual(faults, []);
    },

    async 'shortcuts move the range and open the help'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/targets`);
        await page.locator('.target').first().waitFor();
        await page.keyboard.press('t');
        await page.keyboard.press('z');
        await page.waitForURL(/from=\d+&to=\d+/);
        await page.keyboard.press('?');
        await page.locator('dialog[open]').waitFor();
        await page.keyboard.press('Escape');
        await page.locator('dialog').waitFor({ state: 'detached' });
        assert.deepEqual(faults, []);
    },

    async 'dragging over a chart zooms in'() {
        const { page, faults } = await visit();
        await page.goto(`${base}/query?g0.expr=node_load1&g0.tab=0&g0.range_input=1h`);
        await waitForLine(page, '.query');
        const box = await page.locator('.query .u-over').boundingBox();
        await page.mouse.move(box.x + box.width * 0.5, box.y + 40);
        await page.mouse.down();
        await page.mouse.move(box.x + box.width * 0.75, box.y + 60, { steps: 5 });
        await page.mouse.up();
        await page.waitForURL(/g0\.range_input=1[45]m(\d+s)?&g0\.end_input=/);
        assert.deepEqual(faults, []);
    },

    async 'the policy forbids inline styles and scripts'() {
        const { page } = await visit();
        const policy = (await page.goto(`${base}/`)).headers()['content-security-policy'] ?? '';
        for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'"]) assert.ok(policy.includes(rule), policy);
    },
};

for (const colorScheme of ['dark', 'light']) {
    for (const viewport of [wide, narrow]) {
        tests[`every page fits ${viewport.width} px, ${colorScheme}`] = async () => {
            const { page, faults } = await visit({ viewport, colorScheme });
            for (const path of ['', 'query?g0.expr=up&g0.tab=1&g1.expr=node_load1&g1.tab=0', 'explore', 'explore?metric=up', 'targets', 'status', 'status?tab=storage', 'flags']) {
                await page.goto(`${base}/${path}`);
                await page.locator('main').waitFor();
                await quiet(page);
                assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme);
                await noSidewaysScroll(page, `/${path}`);
                await picture(page, `${path.replace(/\W+/g, '-').slice(0, 20) || 'home'}-${viewport.width}-${colorScheme}`);
            }
            assert.deepEqual(faults, []);
        };
    }
}

const only = process.argv[2];
const chosen = Object.entries(tests).filter(([name]) => only === undefined || name.includes(only));
console.log('TAP version 13');
console.log(`1..${chosen.length}`);
let failures = 0;
for (const [i, [name, run]] of chosen.entries()) {
    try {
        await run();
        console.log(`ok ${i + 1} - ${name}`);
    } catch (error) {
        failures++;
        console.log(`not ok ${i + 1} - ${name}`);
        console.log(String(error.stack ?? error).replace(/^/gm, '    # '));
    }
    await Promise.all(contexts.splice(0).map((context) => context.close()));
}
await browser.close();
process.exitCode = failures === 0 ? 0 : 1;
