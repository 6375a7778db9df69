// SPDX-License-Identifier: Apache-2.0
// Goal: text completions, embeddings and what the router says of itself are understood by the SDKs
// that ask for them: parsed by their schemas, vectors equal to what the provider made.
// Method: the SDKs unchanged against the real leat, with a provider that answers as OpenAI does but
// knows vectors as lists of numbers only, and fails when a test says so.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { OpenRouter } from '@openrouter/sdk';
import { createOpenRouter } from '@openrouter/ai-sdk-provider';
import { embedMany, generateText, streamText } from 'ai';
import OpenAI from 'openai';

import {
  answerWell, jsonBytes, KEY, Leat, MODEL, Provider, slow, streamBytes, usage,
} from './harness.mjs';

const vectors = [[0.5, -1.25, 3], [0, 1, -0.125]];
const faces = ['/v1', '/api/v1'];

function textPart(text, finish = null) {
  const choices = [{ index: 0, text, logprobs: null, finish_reason: finish }];
  return {
    id: 'cmpl-1', object: 'text_completion', created: 1770000000, model: 'upstream-model', choices,
  };
}

function answer({ head, body }, socket) {
  if (head.startsWith('POST /v1/chat/completions ')) return answerWell({ body }, socket);
  if (head.startsWith('POST /v1/embeddings ')) {
    const data = body.input.map((_, index) => (
      { object: 'embedding', index, embedding: vectors[index] }));
    return socket.write(jsonBytes(200, {
      object: 'list', model: 'upstream-model', data, usage: { prompt_tokens: 4, total_tokens: 4 },
    }));
  }
  assert.match(head, /^POST \/v1\/completions /);
  if (!body.stream) return socket.write(jsonBytes(200, { ...textPart('one two', 'stop'), usage }));
  return socket.write(streamBytes([
    textPart('one'), textPart(' two'), textPart('', 'stop'),
    { ...textPart(''), choices: [], usage },
  ]));
}

const provider = new Provider(answer);
let leat;

before(async () => {
  await provider.listen();
  leat = await Leat.start(provider);
});

after(async () => {
  await leat.close();
  await provider.close();
});

const openai = (face) =>
  new OpenAI({ baseURL: leat.url + face, apiKey: KEY, maxRetries: 0, timeout: 20000 * slow });
const openrouter = () => new OpenRouter({
  apiKey: KEY, serverURL: `${leat.url}/api/v1`, retryConfig: { strategy: 'none' },
});
const aiSdk = () => createOpenRouter({
  baseURL: `${leat.url}/api/v1`, apiKey: KEY, compatibility: 'strict',
});

for (const face of faces) {
  test(`openai ${face}: a text completion at once and streamed`, async () => {
    const made = await openai(face).completions.create({ model: MODEL, prompt: 'Count' });
    assert.equal(made.choices[0].text, 'one two');
    assert.equal(made.choices[0].finish_reason, 'stop');
    assert.equal(made.usage.completion_tokens, usage.completion_tokens);
    let text = '';
    let said;
    const events = await openai(face).completions.create({
      model: MODEL, prompt: 'Count', stream: true, stream_options: { include_usage: true },
    });
    for await (const event of events) {
      text += event.choices.map((choice) => choice.text).join('');
      said = event.usage ?? said;
    }
    assert.equal(text, 'one two');
    assert.equal(said.total_tokens, usage.total_tokens);
  });

  test(`openai ${face}: embeddings by the client's own default and as floats`, async () => {
    for (const more of [{}, { encoding_format: 'float' }]) {
      const made = await openai(face).embeddings.create({
        model: MODEL, input: ['a', 'b'], ...more,
      });
      assert.deepEqual(made.data.map(({ embedding }) => [...embedding]), vectors);
      assert.equal(made.usage.prompt_tokens, 4);
    }
    // The client asks for base64 where its caller says nothing, and decodes it.
    assert.equal(provider.requests.at(-2).body.encoding_format, 'base64');
  });
}

test('ai-sdk-provider: text completions', async () => {
  const model = aiSdk().completion(MODEL);
  assert.equal((await generateText({ model, prompt: 'Count', maxRetries: 0 })).text, 'one two');
  let text = '';
  const { textStream } = streamText({ model, prompt: 'Count', maxRetries: 0 });
  for await (const part of textStream) text += part;
  assert.equal(text, 'one two');
});

test('ai-sdk-provider: embeddings', async () => {
  const model = aiSdk().textEmbeddingModel(MODEL);
  const made = await embedMany({ model, values: ['a', 'b'], maxRetries: 0 });
  assert.deepEqual(made.embeddings, vectors);
});

test('@openrouter/sdk: embeddings', async () => {
  const made = await openrouter().embeddings.generate({
    requestBody: { model: MODEL, input: ['a', 'b'] },
  });
  assert.equal(made.model, MODEL);
  assert.deepEqual(made.data.map(({ embedding }) => embedding), vectors);
  assert.equal(made.usage.cost, 0.00004);
});

test('@openrouter/sdk: what the router did, with a whole answer and with a stream', async () => {
  const messages = [{ role: 'user', content: 'What?' }];
  const ask = (stream) => openrouter().chat.send({
    xOpenRouterMetadata: 'enabled', chatRequest: { model: MODEL, messages, stream },
  });
  const told = [(await ask(false)).openrouterMetadata];
  for await (const event of await ask(true)) told.push(event.openrouterMetadata);
  const known = told.filter(Boolean);
  assert.equal(known.length, 2);
  assert.ok(told.at(-1), 'it stands in the last chunk');
  for (const each of known) {
    assert.equal(each.requested, MODEL);
    assert.equal(each.strategy, 'direct');
    assert.equal(each.attempt, 1);
    assert.deepEqual(each.attempts.map(({ model, status }) => [model, status]), [[MODEL, 200]]);
    assert.equal(each.endpoints.total, 1);
    assert.equal(each.endpoints.available[0].selected, true);
  }
});
