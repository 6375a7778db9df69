// SPDX-License-Identifier: Apache-2.0
// Goal: a program that administers keys, credits, workspaces and own provider keys by
// OpenRouter's SDK does so here: every answer passes the SDK's checks, and what it made is there.
// Method: the SDK unchanged against the admin listener of the real leat with a store, and keys
// that it made against the data listener.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { OpenRouter } from '@openrouter/sdk';

import { answerWell, KEY, Leat, MODEL, OPERATOR, Provider, slow } from './harness.mjs';

const provider = new Provider(answerWell);
let leat, operator;

function sdk(url, apiKey) {
  return new OpenRouter({
    apiKey, serverURL: `${url}/api/v1`, retryConfig: { strategy: 'none' }, timeoutMs: 20000 * slow,
  });
}

before(async () => {
  await provider.listen();
  leat = await Leat.start(provider);
  operator = sdk(leat.admin, OPERATOR);
});

after(async () => {
  await leat.close();
  await provider.close();
});

const chatRequest = { model: MODEL, messages: [{ role: 'user', content: 'What?' }] };

test('@openrouter/sdk: a key is made, used, changed and deleted', async () => {
  const expiresAt = new Date('2099-12-31T23:59:59Z');
  const made = await operator.apiKeys.create({
    requestBody: { name: 'ci', limit: 12.5, limitReset: 'monthly', expiresAt },
  });
  assert.match(made.key, /^sk-leat-v1-/);
  assert.equal(made.data.limit, 12.5);
  assert.equal(made.data.limitReset, 'monthly');
  assert.deepEqual(made.data.expiresAt, expiresAt);
  const client = sdk(leat.url, made.key);
  const { choices: [choice] } = await client.chat.send({ chatRequest });
  assert.equal(choice.message.content, 'one two');

  const own = await client.apiKeys.getCurrentKeyMetadata();
  assert.equal(own.data.limit, 12.5);
  assert.equal(own.data.isManagementKey, false);
  assert.equal(own.data.label, made.data.label);

  const { data: [listed] } = await operator.apiKeys.list();
  assert.equal(listed.hash, made.data.hash);
  const { hash } = listed;
  assert.equal((await operator.apiKeys.get({ hash })).data.name, 'ci');
  const changed = await operator.apiKeys.update({
    hash, requestBody: { name: 'ci 2', disabled: true, limit: null },
  });
  assert.equal(changed.data.disabled, true);
  assert.equal(changed.data.limit, null);
  const errors = await import('@openrouter/sdk/models/errors');
  await assert.rejects(client.chat.send({ chatRequest }), errors.UnauthorizedResponseError);
  await operator.apiKeys.update({ hash, requestBody: { disabled: false } });
  await client.chat.send({ chatRequest });
  assert.equal((await operator.apiKeys.delete({ hash })).deleted, true);
  await assert.rejects(client.chat.send({ chatRequest }), errors.UnauthorizedResponseError);
  await assert.rejects(operator.apiKeys.get({ hash }), errors.NotFoundResponseError);
});

test('@openrouter/sdk: credits are told to who manages, and to a key', async () => {
  const grant = await fetch(`${leat.admin}/api/v1/credits`, {
    method: 'POST', body: JSON.stringify({ amount: 100.25, note: 'May' }),
    headers: { authorization: `Bearer ${OPERATOR}` },
  });
  assert.equal(grant.status, 201);
  assert.equal((await operator.credits.getCredits()).data.totalCredits, 100.25);
  const { key } = await operator.apiKeys.create({ requestBody: { name: 'asks' } });
  assert.equal((await sdk(leat.url, key).credits.getCredits()).data.totalCredits, 100.25);
  assert.equal((await sdk(leat.url, KEY).credits.getCredits()).data.totalCredits, 0);
});

test('@openrouter/sdk: workspaces and their budgets', async () => {
  const { data: made } = await operator.workspaces.create({
    createWorkspaceRequest: { name: 'Team A', slug: 'team-a', description: 'what it is for' },
  });
  const id = made.id;
  const slugs = [];
  for await (const page of await operator.workspaces.list({})) {
    slugs.push(...page.result.data.map(({ slug }) => slug));
  }
  assert.deepEqual(slugs.sort(), ['default', 'team-a']);
  assert.equal((await operator.workspaces.get({ id: 'team-a' })).data.id, id);
  const { data: renamed } = await operator.workspaces.update({
    id, updateWorkspaceRequest: { name: 'Team B' },
  });
  assert.equal(renamed.name, 'Team B');
  const budget = { workspaceRef: 'team-a', interval: 'daily' };
  await operator.workspaces.setBudget({
    ...budget, upsertWorkspaceBudgetRequest: { limitUsd: 5 },
  });
  assert.equal((await operator.workspaces.getBudget(budget)).data.limitUsd, 5);
  assert.equal((await operator.workspaces.listBudgets({ workspaceRef: id })).data.length, 1);
  const { data: key } = await operator.apiKeys.create({
    requestBody: { name: 'of the team', workspaceId: id },
  });
  assert.equal(key.workspaceId, id);
  await assert.rejects(operator.workspaces.delete({ id }));
  await operator.apiKeys.delete({ hash: key.hash });
  await operator.workspaces.deleteBudget(budget);
  assert.equal((await operator.workspaces.delete({ id })).deleted, true);
});

test('@openrouter/sdk: own provider keys are kept and never shown', async () => {
  const key = 'sk-brought-0123456789abcdef';
  const { data: made } = await operator.byok.create({
    createBYOKKeyRequest: { provider: 'openai', key, name: 'ours', isFallback: true },
  });
  assert.equal(made.isFallback, true);
  assert.ok(!JSON.stringify(made).includes(key));
  const listed = [];
  for await (const page of await operator.byok.list({})) listed.push(...page.result.data);
  assert.deepEqual(listed.map(({ id }) => id), [made.id]);
  const { data: changed } = await operator.byok.update({
    id: made.id, updateBYOKKeyRequest: { name: 'theirs', disabled: true },
  });
  assert.equal(changed.disabled, true);
  assert.equal((await operator.byok.get({ id: made.id })).data.name, 'theirs');
  assert.equal((await operator.byok.delete({ id: made.id })).deleted, true);
});

test('@openrouter/sdk: a management key manages, an inference key does not', async () => {
  const answer = await fetch(`${leat.admin}/api/v1/keys`, {
    method: 'POST', body: JSON.stringify({ name: 'boss', scope: 'management' }),
    headers: { authorization: `Bearer ${OPERATOR}` },
  });
  const boss = sdk(leat.admin, (await answer.json()).key);
  assert.equal((await boss.apiKeys.getCurrentKeyMetadata()).data.isManagementKey, true);
  const { key } = await boss.apiKeys.create({ requestBody: { name: 'worker' } });
  const errors = await import('@openrouter/sdk/models/errors');
  for (const wrong of [key, KEY, 'none']) {
    await assert.rejects(sdk(leat.admin, wrong).apiKeys.list(), errors.UnauthorizedResponseError);
  }
  await assert.rejects(sdk(leat.url, key).apiKeys.list(), { statusCode: 404 });
});
