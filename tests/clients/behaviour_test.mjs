// SPDX-License-Identifier: Apache-2.0
// Goal: a program that uses one of the SDKs notices no difference when it talks to Leat: answers,
// errors as the SDK's own classes with a message that helps, aborts that reach the provider.
// Method: the SDKs unchanged against the real leat, with a provider that each test scripts.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import {
  answerWell, chunk, clients, COST, jsonBytes, KEY, Leat, Provider, slow, streamBytes,
} from './harness.mjs';

const provider = new Provider((request, socket) => script(request, socket));
let leat, script;

before(async () => {
  await provider.listen();
  leat = await Leat.start(provider);
});

after(async () => {
  await leat.close();
  await provider.close();
});

function failing(status, message, extra) {
  return (_, socket) => socket.write(jsonBytes(status, { error: { message } }, extra));
}

async function errorOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: 'the client saw no error' });
}

for (const client of clients) {
  test(`${client.name}: an answer at once and streamed`, async () => {
    script = answerWell;
    const made = client.make(leat, KEY);
    for (const seen of [await client.whole(made), await client.stream(made)]) {
      assert.equal(seen.text, 'one two');
      assert.equal(seen.finish, 'stop');
      assert.deepEqual(seen.usage, [7, 2]);
      assert.equal(seen.cost, client.tellsCost ? COST : null);
    }
    const asked = provider.requests.at(-1).body;
    assert.equal(asked.model, 'upstream-model');
    assert.equal(asked.stream_options.include_usage, true);
  });

  test(`${client.name}: one upstream connection serves requests in turn`, async () => {
    script = answerWell;
    const made = client.make(leat, KEY);
    await client.stream(made);
    const before = provider.connections;
    for (let i = 0; i < 5; i += 1) await client.stream(made);
    assert.equal(provider.connections, before);
  });

  test(`${client.name}: a wrong key is 401 and asks no provider`, async () => {
    const before = provider.requests.length;
    const error = await errorOf(client.stream(client.make(leat, 'no-such-key')));
    assert.equal(client.status(error), 401);
    assert.equal(provider.requests.length, before);
  });

  test(`${client.name}: an unknown model is 404 and says so`, async () => {
    const error = await errorOf(client.stream(client.make(leat, KEY), { model: 'acme/none' }));
    assert.equal(client.status(error), 404);
    assert.match(error.message, /`acme\/none` does not exist/);
  });

  test(`${client.name}: the provider's refusal arrives with its words`, async () => {
    script = failing(400, 'temperature must be below two');
    const error = await errorOf(client.whole(client.make(leat, KEY)));
    assert.equal(client.status(error), 400);
    assert.match(error.message, /temperature must be below two/);
  });

  test(`${client.name}: a provider without room is 429`, async () => {
    script = failing(429, 'slow down', 'retry-after: 7\r\n');
    const error = await errorOf(client.stream(client.make(leat, KEY), { model: 'busy/one' }));
    assert.equal(client.status(error), 429);
  });

  test(`${client.name}: a failure in the middle is no end`, async () => {
    script = (_, socket) => {
      socket.end(streamBytes([chunk({ role: 'assistant', content: 'one' })], { done: false }));
    };
    let begun = false;
    const error = await errorOf(
      client.stream(client.make(leat, KEY), { onText: () => { begun = true; } }));
    assert.ok(begun, 'what came before the failure is shown');
    assert.ok(error instanceof Error || error.message, 'the client says that it failed');
  });

  test(`${client.name}: an abort reaches the provider`, async (t) => {
    // Both ends are in this process, whose own delays count too: the best of five is Leat's.
    const times = [];
    for (let i = 0; i < 5; i += 1) {
      let aborted, closed;
      script = (_, socket) => {
        closed = new Promise((done) => socket.once('close', () => done(performance.now())));
        socket.write(streamBytes([chunk({ role: 'assistant', content: 'one' })], { done: false }));
      };
      const control = new AbortController();
      const onText = () => {
        aborted ??= performance.now();
        control.abort();
      };
      const options = { signal: control.signal, onText };
      // openai ends an aborted stream quietly, the others by an error: both are its own affair.
      await client.stream(client.make(leat, KEY), options).catch(() => {});
      times.push((await closed) - aborted);
    }
    t.diagnostic(`upstream closed after ${times.map((ms) => ms.toFixed(1)).join(', ')} ms`);
    assert.ok(Math.min(...times) <= 10 * slow, `${times} ms`);
    assert.ok(Math.max(...times) <= 500 * slow, `${times} ms`);
  });
}

test('openai: errors are of its own classes, in its own shape', async () => {
  const [openai] = clients;
  const { APIError, AuthenticationError, NotFoundError, RateLimitError } =
    (await import('openai')).default;
  assert.ok(await errorOf(openai.whole(openai.make(leat, 'no'))) instanceof AuthenticationError);
  const unknown = await errorOf(openai.stream(openai.make(leat, KEY), { model: 'acme/none' }));
  assert.ok(unknown instanceof NotFoundError);
  script = failing(429, 'slow down');
  const busy = await errorOf(openai.stream(openai.make(leat, KEY), { model: 'busy/one' }));
  assert.ok(busy instanceof RateLimitError);
  script = failing(500, 'broken');
  assert.ok(await errorOf(openai.whole(openai.make(leat, KEY))) instanceof APIError);
});

test('@openrouter/sdk: errors are of its own classes with a whole number as code', async () => {
  const openrouter = clients[2];
  const errors = await import('@openrouter/sdk/models/errors');
  const wrong = await errorOf(openrouter.stream(openrouter.make(leat, 'no')));
  assert.ok(wrong instanceof errors.UnauthorizedResponseError);
  assert.equal(wrong.error.code, 401);
  script = failing(429, 'slow down');
  const many = await errorOf(
    openrouter.stream(openrouter.make(leat, KEY), { model: 'busy/one' }));
  assert.ok(many instanceof errors.TooManyRequestsResponseError);
});

test('models.list names the model to both faces', async () => {
  for (const client of clients.slice(0, 2)) {
    const models = await client.make(leat, KEY).models.list();
    assert.ok(models.data.some(({ id }) => id === 'acme/one'), client.name);
  }
});
