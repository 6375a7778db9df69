// SPDX-License-Identifier: Apache-2.0
// Goal: the page shows what the node counts, on a telephone and on a wall, by light and by dark, to
// who uses a keyboard or a screen reader; it asks no other host, and shows money only to operators.
// Method: Debian's Chromium on the real leat under traffic; every view at three widths in both
// schemes, with axe, and a picture of each left in the build folder's `screenshots`.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { OPERATOR, Scene, browser } from './harness.mjs';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const VIEWS = ['live', 'endpoints', 'requests', 'spend', 'ranking', 'explain'];
const WIDTHS = [360, 1280, 2560];
const HEIGHTS = { 360: 780, 1280: 900, 2560: 1440 };

let scene;
let chromium;
let id;

before(async () => {
  scene = await Scene.start();
  const stop = scene.traffic();
  scene.hold(3);
  chromium = await browser();
  await new Promise((next) => { setTimeout(next, 4000); });
  await stop();
  id = await scene.send();
  fs.mkdirSync('screenshots', { recursive: true });
});

after(async () => {
  await chromium?.close();
  await scene?.close();
});

/** A page of its own, of which every fault is noted. */
async function open({ width = 1280, colorScheme = 'light', key = OPERATOR } = {}) {
  const context = await chromium.newContext({ viewport: { width, height: HEIGHTS[width] }, colorScheme });
  const page = await context.newPage();
  page.setDefaultTimeout(60000); // machines that build meanwhile are slow
  const faults = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => {
    const { origin, search } = new URL(request.url());
    if (origin !== scene.admin && !request.url().startsWith('data:')) faults.push(`asks ${request.url()}`);
    if (search.includes(OPERATOR)) faults.push('the key is in an address');
  });
  if (key) await page.addInitScript((value) => sessionStorage.setItem('leat-key', value), key);
  await page.goto(`${scene.admin}/`);
  await page.waitForSelector('.state.good');
  return { context, page, faults };
}

async function show(page, view) {
  await page.evaluate((name) => { location.hash = name; }, view);
  await page.waitForSelector(`nav a[href="#${view}"][aria-current=page]`);
}

/** A frame has been drawn since, and what a view asks has come. */
async function settle(page, view) {
  await page.waitForResponse((answer) => answer.url().endsWith('/dashboard/usage'), { timeout: 500 }).catch(() => {});
  if (view === 'requests') {
    await page.fill('#request-id', id);
    await page.click('button:has-text("Look up")');
    await page.waitForSelector('dl.facts');
  }
  if (view === 'explain') {
    await page.waitForFunction(() => document.querySelector('#explain-body').value.includes('acme/'));
    await page.click('button:has-text("Explain")');
    await page.waitForSelector('h3:has-text("Tried in this order")');
  }
  if (view === 'live') await page.waitForSelector('.plot canvas');
}

for (const width of WIDTHS) {
  for (const colorScheme of ['light', 'dark']) {
    test(`every view at ${width} px, ${colorScheme}`, async () => {
      const { context, page, faults } = await open({ width, colorScheme });
      for (const view of VIEWS) {
        await show(page, view);
        await settle(page, view);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${view} is ${wide} px wider than the window`);
        await page.screenshot({ path: `screenshots/${view}-${width}-${colorScheme}.png`, fullPage: true });
        // Not as a script of the page, which its policy does not let run.
        await page.evaluate(fs.readFileSync(axe, 'utf8'));
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
        assert.deepEqual(grave.map(({ id: rule, nodes }) => [rule, nodes[0].html]), [], view);
      }
      assert.deepEqual(faults, []);
      await context.close();
    });
  }
}

test('the numbers are those of /metrics', async () => {
  const { context, page } = await open();
  const metrics = await scene.metrics(); // nothing runs but what is held
  const said = (label) => page.locator('.tile', { hasText: label });
  const whole = (value) => value.toLocaleString('en');
  await page.waitForFunction(([text]) => document.body.textContent.includes(text),
    [`${whole(metrics.get('leat_requests_total'))} in all`]);
  assert.equal(await said('Running').locator('.value').textContent(), whole(metrics.get('leat_requests_open')));
  const facts = Object.fromEntries(await page.locator('dl.facts > div').evaluateAll((all) =>
    all.map((one) => [one.querySelector('dt').textContent, one.querySelector('dd').textContent])));
  for (const [name, series] of [['Streams completed', 'leat_streams_completed_total'],
    ['Attempts at providers', 'leat_attempts_total'], ['Prompt tokens', 'leat_prompt_tokens_total'],
    ['Completion tokens', 'leat_completion_tokens_total'], ['Ledger records', 'leat_ledger_entries_total']]) {
    assert.equal(facts[name], whole(metrics.get(series)), name);
  }
  const refusals = Object.fromEntries(await page.locator('.card', { hasText: 'Refusals and why' }).locator('tbody tr')
    .evaluateAll((rows) => rows.map((row) => [row.cells[0].textContent, row.cells[2].textContent])));
  assert.ok(Object.keys(refusals).length > 0);
  for (const [reason, count] of Object.entries(refusals)) {
    assert.equal(count, whole(metrics.get(`leat_reject_total{reason="${reason}"}`)), reason);
  }
  await show(page, 'spend');
  const charged = metrics.get('leat_charged_nanodollars_total') / 1e9;
  const shown = await said('Charged').locator('.value').textContent();
  assert.ok(Math.abs(Number(shown.slice(1)) - charged) < charged * 0.01, `${shown} is not ${charged}`);
  await context.close();
});

test('requests that run are listed, and a request’s life is told', async () => {
  const { context, page } = await open();
  await show(page, 'requests');
  const rows = page.locator('.card', { hasText: 'Running now' }).locator('tbody tr');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 3);
  assert.match(await rows.first().textContent(), /gen-.*storefront.*acme\/river.*streaming/);
  await settle(page, 'requests');
  assert.match(await page.locator('dl.facts').textContent(), /acme\/river.*storefront/);
  await context.close();
});

test('who has no key sees neither money nor requests, and a wrong key nothing more', async () => {
  const { context, page, faults } = await open({ key: '' });
  await show(page, 'spend');
  await page.waitForSelector('.notice:has-text("Sign in")');
  assert.doesNotMatch(await page.textContent('main'), /\$/);
  await show(page, 'requests');
  assert.doesNotMatch(await page.textContent('main'), /gen-\w|storefront/);
  await page.click('#key-button');
  await page.fill('#key-input', 'wrong-key');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#key-fault:has-text("may not see")');
  assert.equal(await page.evaluate(() => sessionStorage.getItem('leat-key')), null);
  await page.fill('#key-input', OPERATOR);
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('main').textContent.includes('storefront'));
  assert.ok(!page.url().includes(OPERATOR));
  // A refused key is the browser's to report, too.
  assert.deepEqual(faults.filter((fault) => !/status of 401/.test(fault)), []);
  await context.close();
});

test('every control is reached and used by keyboard, and its focus is seen', async () => {
  const { context, page } = await open();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  const reached = [];
  for (let i = 0; i < 12; i += 1) {
    await page.keyboard.press('Tab');
    const [tag, name, outline] = await page.evaluate(() => [document.activeElement.tagName,
      document.activeElement.textContent.trim(), getComputedStyle(document.activeElement).outlineStyle]);
    if (tag === 'BODY') break; // once around
    reached.push(name);
    assert.notEqual(outline, 'none', name);
  }
  for (const name of ['Live', 'Endpoints', 'Requests', 'Spend', 'Ranking', 'Explain', 'Sign out']) {
    assert.ok(reached.includes(name), `${name} in ${reached}`);
  }
  await page.focus('nav a[href="#endpoints"]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.endpoint');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await context.close();
});

test('first paint comes within 300 ms', async () => {
  const { context, page } = await open();
  const times = [];
  for (let i = 0; i < 5; i += 1) {
    await page.reload();
    await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
    times.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
  }
  times.sort((a, b) => a - b);
  assert.ok(times[2] <= 300, `the median of ${times.map(Math.round)} ms`);
  await context.close();
});

test('a node that goes away is said to be away', async () => {
  const { context, page } = await open();
  await context.route('**/dashboard/events', (route) => route.abort());
  await page.reload();
  await page.waitForSelector('.state.bad:has-text("connection lost")');
  await context.unroute('**/dashboard/events');
  await page.waitForSelector('.state.good');
  await context.close();
});
