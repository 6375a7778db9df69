// SPDX-License-Identifier: Apache-2.0
// Goal: a program that asks by an SDK what there is - models, endpoints, providers - gets it: every
// answer passes the SDK's own checks, and says what the catalogue says.
// Method: the SDKs unchanged against the real leat with a catalogue that has something of
// everything; one provider that is well but for one model, where it is at its limit.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { OpenRouter } from '@openrouter/sdk';
import OpenAI from 'openai';

import { answerWell, jsonBytes, KEY, Leat, MODEL, Provider, slow } from './harness.mjs';

const catalogue = `
[providers.scripted]
display_name = "Scripted \\"Inc\\""
privacy_policy_url = "https://scripted.example/privacy"
terms_of_service_url = "https://scripted.example/terms"
status_page_url = "https://status.scripted.example"
headquarters = "DE"
datacenters = ["DE", "US"]
data = { trains = false, publishes = false, retention_days = 0 }
[[models]]
id = "deep/rich"
canonical_slug = "deep/rich-20260101"
name = "Deep: Rich"
description = "Does \\"everything\\", and says so: äöü \\u2028."
family = "rich"
hugging_face_id = "deep/Rich"
created_unix_s = 1760000000
expires_unix_s = 1830000000
knowledge_cutoff = "2026-01-31"
context_tokens = 200000
input = ["text", "image", "file", "audio", "video"]
tokenizer = "GPT"
instruct_type = "chatml"
moderated = true
parameters = ["temperature", "top_p", "tools", "tool_choice", "reasoning", "structured_outputs"]
[[models.endpoints]]
provider = "scripted"
model = "rich"
region = "eu"
quantization = "fp8"
prompt_tokens_max = 150000
completion_tokens_max = 50000
implicit_caching = true
tool_choices = ["auto", "none"]
overrides = [
  { prompt_tokens_over = 100000, price = { prompt = "6", completion = "30" } },
  { utc_start = "2230", utc_end = "0130", utc_days = [0, 6], price = { prompt = "1" } },
]
[models.endpoints.price]
prompt = "3"
completion = "15.000001"
request = "0.001"
image = "0.0048"
web_search = "0.01"
input_cache_read = "0.3"
input_cache_write = "3.75"
internal_reasoning = "15"
[[models.endpoints]]
provider = "scripted"
model = "rich"
tag = "scripted/priority"
tier = "priority"
price = { prompt = "6", completion = "30" }
[[models.endpoints]]
provider = "scripted"
model = "rich-free"
variant = "free"
free = true
[[models]]
id = "deep/vectors"
output = ["embeddings"]
endpoints = [{ provider = "scripted", model = "v", price = { prompt = "0.02" } }]
`;

const full = { error: { message: 'slow down' } };
const provider = new Provider((request, socket) => {
  if (request.body.model !== 'rich') return answerWell(request, socket);
  socket.write(jsonBytes(429, full, 'retry-after: 600\r\n'));
});
let leat, openrouter;

before(async () => {
  await provider.listen();
  leat = await Leat.start(provider, catalogue);
  openrouter = new OpenRouter({
    apiKey: KEY, serverURL: `${leat.url}/api/v1`, retryConfig: { strategy: 'none' },
    timeoutMs: 20000 * slow,
  });
});

after(async () => {
  await leat.close();
  await provider.close();
});

const rich = { author: 'deep', slug: 'rich' };

test('@openrouter/sdk: models.list has every model with its prices', async () => {
  const { result } = await openrouter.models.list({});
  assert.deepEqual(result.data.map(({ id }) => id).sort(),
    [MODEL, 'deep/rich', 'deep/rich:free', '~deep/rich-latest']);
  assert.equal(result.totalCount, 4);
  const model = result.data.find(({ id }) => id === 'deep/rich');
  assert.equal(model.canonicalSlug, 'deep/rich-20260101');
  assert.equal(model.description, 'Does "everything", and says so: äöü \u2028.');
  assert.equal(model.contextLength, 200000);
  assert.deepEqual(model.architecture.inputModalities, ['text', 'image', 'audio', 'file', 'video']);
  assert.equal(model.topProvider.maxCompletionTokens, 50000);
  assert.equal(model.topProvider.isModerated, true);
  assert.equal(model.pricing.prompt, '0.000003');
  assert.equal(model.pricing.completion, '0.000015000001');
  assert.equal(model.pricing.inputCacheRead, '0.0000003');
  assert.equal(model.pricing.request, '0.001');
  assert.equal(model.pricing.overrides.length, 2);
  const free = result.data.find(({ id }) => id === 'deep/rich:free');
  assert.equal(free.pricing.prompt, '0');
  const alias = result.data.find(({ id }) => id === '~deep/rich-latest');
  assert.equal(alias.aliasTarget.slug, 'deep/rich');
});

test('@openrouter/sdk: models.list takes its filters and goes from page to page', async () => {
  const filtered = await openrouter.models.list({
    outputModalities: 'embeddings', maxPrice: 0.02, modelAuthors: 'deep', sort: 'newest',
  });
  assert.deepEqual(filtered.result.data.map(({ id }) => id), ['deep/vectors']);
  const seen = [];
  for await (const page of await openrouter.models.list({ limit: 3, outputModalities: 'all' })) {
    seen.push(...page.result.data.map(({ id }) => id));
  }
  assert.equal(seen.length, 5);
  assert.equal(new Set(seen).size, 5);
});

test('@openrouter/sdk: models.count and models.get', async () => {
  assert.equal((await openrouter.models.count({})).data.count, 4);
  for (const slug of ['rich', 'rich:free']) {
    const { data } = await openrouter.models.get({ author: 'deep', slug });
    assert.equal(data.id, `deep/${slug}`);
  }
  const latest = await openrouter.models.get({ author: '~deep', slug: 'rich-latest' });
  assert.equal(latest.data.id, 'deep/rich');
});

test('@openrouter/sdk: endpoints of a model, of its variants, and what keeps nothing', async () => {
  const { data } = await openrouter.endpoints.list(rich);
  assert.deepEqual(data.endpoints.map(({ tag }) => tag), ['scripted', 'scripted/priority']);
  const [first] = data.endpoints;
  assert.equal(first.providerName, 'Scripted "Inc"');
  assert.equal(first.quantization, 'fp8');
  assert.equal(first.maxPromptTokens, 150000);
  assert.equal(first.supportsImplicitCaching, true);
  assert.equal(first.supportsToolChoice.auto, true);
  assert.equal(first.supportsToolChoice.required, false);
  assert.equal(first.uptimeLast30m, null);
  const free = await openrouter.endpoints.list({ author: 'deep', slug: 'rich:free' });
  assert.equal(free.data.endpoints.length, 1);
  const zdr = await openrouter.endpoints.listZdrEndpoints({});
  assert.equal(zdr.data.length, 5);
});

test('@openrouter/sdk: an endpoint at its limit is listed as one', async () => {
  const [before] = (await openrouter.endpoints.list(rich)).data.endpoints;
  assert.equal(before.status, 0);
  const messages = [{ role: 'user', content: 'What?' }];
  await assert.rejects(openrouter.chat.send({ chatRequest: { model: 'deep/rich', messages } }));
  const [first] = (await openrouter.endpoints.list(rich)).data.endpoints;
  assert.equal(first.status, -3);
});

test('@openrouter/sdk: what an endpoint has done is listed with it', async () => {
  const messages = [{ role: 'user', content: 'What?' }];
  const body = JSON.stringify({ model: MODEL, stream: true, messages });
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  // Of fewer than 100 requests no uptime is told.
  for (let i = 0; i < 110; i += 1) {
    const answer = await fetch(`${leat.url}/v1/chat/completions`, { method: 'POST', headers, body });
    assert.match(await answer.text(), /\[DONE\]/);
  }
  const [author, slug] = MODEL.split('/');
  const deadline = performance.now() + 10000 * slow;
  let seen;
  do {
    [seen] = (await openrouter.endpoints.list({ author, slug })).data.endpoints;
  } while (seen.uptimeLast5m === null && performance.now() < deadline);
  assert.equal(seen.status, 0);
  assert.deepEqual([seen.uptimeLast5m, seen.uptimeLast30m, seen.uptimeLast1d], [100, 100, 100]);
  const { p50, p75, p90, p99 } = seen.latencyLast30m;
  assert.ok(p50 > 0 && p50 <= p75 && p75 <= p90 && p90 <= p99 && p99 < 10000 * slow);
});

test('@openrouter/sdk: providers.list', async () => {
  const { data } = await openrouter.providers.list({});
  assert.equal(data.length, 1);
  assert.equal(data[0].slug, 'scripted');
  assert.equal(data[0].privacyPolicyUrl, 'https://scripted.example/privacy');
  assert.deepEqual(data[0].datacenters, ['DE', 'US']);
});

test('@openrouter/sdk: what is wrong arrives as its own errors', async () => {
  const errors = await import('@openrouter/sdk/models/errors');
  await assert.rejects(openrouter.models.get({ author: 'deep', slug: 'none' }),
    errors.NotFoundResponseError);
  await assert.rejects(openrouter.endpoints.list({ author: 'deep', slug: 'rich/../x' }),
    errors.NotFoundResponseError);
  await assert.rejects(openrouter.models.list({ limit: 5000 }), (error) => {
    assert.ok(error instanceof errors.BadRequestResponseError);
    assert.match(error.error.message, /`limit`/);
    return true;
  });
});

for (const face of ['/v1', '/api/v1']) {
  test(`openai ${face}: models.list and models.retrieve`, async () => {
    const openai = new OpenAI({ baseURL: leat.url + face, apiKey: KEY, maxRetries: 0 });
    const listed = [];
    for await (const model of openai.models.list()) listed.push(model.id);
    for (const id of [MODEL, 'deep/rich', 'deep/rich:free', '~deep/rich-latest']) {
      assert.ok(listed.includes(id), id);
    }
    for (const id of ['deep/rich', 'deep/rich:free', 'deep/vectors']) {
      const model = await openai.models.retrieve(id);
      assert.equal(model.id, id);
      assert.equal(model.object, 'model');
      assert.equal(model.owned_by, 'deep');
      assert.ok(model.created > 1e9);
    }
    await assert.rejects(openai.models.retrieve('deep/none'), OpenAI.NotFoundError);
  });
}
