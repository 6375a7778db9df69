// SPDX-License-Identifier: Apache-2.0
// Goal: what providers really sent reaches the users of each SDK whole: text, tool calls, finish
// reason and token counts are the recording's, wherever the network cuts the bytes.
// Method: every recorded stream, cut at seeded random places, through the real leat into each
// client. What is expected comes from the recording's own JSON.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { clients, Collected, KEY, Leat, Provider, streamBytes, writeCut } from './harness.mjs';

const folder = path.join(process.env.LEAT_SOURCE, '..', 'shared', 'fixtures', 'chat-streams');
const names = fs.existsSync(folder) ? fs.readdirSync(folder).sort() : [];
const provider = new Provider((_, socket) => writeCut(socket, recorded, seed));
let leat, recorded, seed;

before(async () => {
  await provider.listen();
  leat = await Leat.start(provider);
});

after(async () => {
  await leat.close();
  await provider.close();
});

/** Arguments are compared as values: one client parses them. */
function comparable({ text, tools, finish, usage }) {
  const parsed = tools.map((call) => ({ ...call, arguments: JSON.parse(call.arguments) }));
  return { text, tools: parsed, finish, usage };
}

if (!names.length) test('recordings', { skip: `there are no recordings in ${folder}` }, () => {});

for (const [at, name] of names.entries()) {
  for (const [which, client] of clients.entries()) {
    test(`${name} by ${client.name}`, async () => {
      const lines = fs.readFileSync(path.join(folder, name), 'utf8').split('\n').filter(Boolean);
      const expected = new Collected();
      for (const line of lines) expected.addChunk(JSON.parse(line));
      // xAI leaves reasoning out of completion_tokens; the OpenRouter face counts it in.
      if (!client.name.endsWith(' /v1')) expected.usage[1] = expected.answered;
      recorded = streamBytes(lines);
      seed = at * 100 + which + 1;
      const seen = await client.stream(client.make(leat, KEY));
      assert.deepEqual(comparable(seen), comparable(expected));
    });
  }
}
