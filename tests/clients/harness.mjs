// SPDX-License-Identifier: Apache-2.0
// What the client tests share: the real leat under a temporary configuration, a provider on raw
// sockets that answers as a function tells it, recordings, and one face for three SDKs. Whatever is
// started here is ended here.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

import { OpenRouter } from '@openrouter/sdk';
import { createOpenRouter } from '@openrouter/ai-sdk-provider';
import { generateText, jsonSchema, streamText, tool } from 'ai';
import OpenAI from 'openai';

export const KEY = 'client-key-0123456789';
export const OPERATOR = 'operator-key-0123456789-0123456789';
export const MODEL = 'acme/one';
export const slow = Number(process.env.LEAT_TEST_SLOW ?? 1);

// ---- Provider -----------------------------------------------------------------------------------

/** Calls `script(request, socket)` for each request; request = {head, body (parsed JSON)}. */
export class Provider {
  requests = [];
  connections = 0;
  #sockets = new Set();
  #server;

  constructor(script) {
    this.script = script;
    this.#server = net.createServer((socket) => this.#serve(socket));
  }

  async listen() {
    await new Promise((done) => this.#server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.#server.address().port}/v1`;
  }

  #serve(socket) {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    let held = Buffer.alloc(0);
    socket.on('data', (data) => {
      held = Buffer.concat([held, data]);
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = held.subarray(0, end).toString('latin1');
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (held.length < end + 4 + length) return;
      const body = JSON.parse(held.subarray(end + 4, end + 4 + length).toString());
      held = held.subarray(end + 4 + length);
      const request = { head, body };
      this.requests.push(request);
      this.script(request, socket);
    });
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((done) => this.#server.close(done));
  }
}

const kStreamHead =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';

/** The bytes of a chunked event stream, one event a chunk. */
export function streamBytes(events, { done = true } = {}) {
  const texts = events.map((event) => (typeof event === 'string' ? event : JSON.stringify(event)));
  if (done) texts.push('[DONE]');
  const chunks = texts.map((text) => {
    const data = Buffer.from(`data: ${text}\n\n`);
    return `${data.length.toString(16)}\r\n${data}\r\n`;
  });
  return Buffer.from(kStreamHead + chunks.join('') + (done ? '0\r\n\r\n' : ''));
}

export function jsonBytes(status, value, extra = '') {
  const data = Buffer.from(JSON.stringify(value));
  const head = `HTTP/1.1 ${status} Said\r\ncontent-type: application/json\r\n${extra}`;
  return Buffer.concat([Buffer.from(`${head}content-length: ${data.length}\r\n\r\n`), data]);
}

/** A small generator of repeatable numbers below `n`. */
export function numbers(seed) {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** Writes `bytes` in pieces that end anywhere, most of them in a segment of their own. */
export async function writeCut(socket, bytes, seed) {
  const below = numbers(seed);
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + below(below(4) ? 700 : 12);
    socket.write(bytes.subarray(at, at + size));
    at += size;
    await new Promise((next) => setImmediate(next));
  }
}

export function chunk(delta, finish = null, more = {}) {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  return {
    id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1770000000, model: 'upstream-model',
    choices, ...more,
  };
}

/** In dollars a million tokens: `usage` costs COST. */
const PRICE = '{ prompt = "10", completion = "30" }';
export const COST = 0.00013;
export const usage = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 };

export const goodEvents = [
  chunk({ role: 'assistant', content: 'one' }), chunk({ content: ' two' }),
  chunk({}, 'stop'), { ...chunk({}), choices: [], usage },
];

export const goodCompletion = {
  id: 'chatcmpl-1', object: 'chat.completion', created: 1770000000, model: 'upstream-model', usage,
  choices: [{
    index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'one two' },
  }],
};

export function answerWell({ body }, socket) {
  socket.write(body.stream ? streamBytes(goodEvents) : jsonBytes(200, goodCompletion));
}

// ---- Leat ---------------------------------------------------------------------------------------

/**
 * A running leat whose model MODEL is the provider's `upstream-model`. Of `busy/*` no limits are
 * remembered, so that a 429 there is the test's alone. `catalogue`: the text of a catalogue file,
 * if there is to be one.
 */
export class Leat {
  static async start(provider, catalogue) {
    const leat = new Leat();
    leat.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'leat-clients-'));
    const config = path.join(leat.folder, 'leat.toml');
    if (catalogue) fs.writeFileSync(path.join(leat.folder, 'catalogue.toml'), catalogue);
    fs.writeFileSync(config, `
${catalogue ? 'catalogue = ["catalogue.toml"]' : ''}
[server]
listen = ["127.0.0.1:0"]
[admin]
listen = "127.0.0.1:0"
operator_key = { env = "LEAT_TEST_OPERATOR" }
[accounts]
store_file = "accounts.db"
master_key = { env = "LEAT_TEST_MASTER" }
[[keys]]
name = "client"
secret = { env = "LEAT_TEST_KEY" }
[providers.scripted]
base_url = "${provider.url}"
allow_private = true
[[models]]
id = "${MODEL}"
endpoints = [{ provider = "scripted", model = "upstream-model", price = ${PRICE} }]
[[models]]
id = "busy/*"
endpoints = [{ provider = "scripted", model = "*" }]
`);
    leat.process = spawn(process.env.LEAT, ['serve', '--config', config], {
      env: {
        ...process.env, LEAT_TEST_KEY: KEY, LEAT_TEST_OPERATOR: OPERATOR,
        LEAT_TEST_MASTER: '0f1e2d3c4b5a6978'.repeat(4),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    leat.said = '';
    leat.process.stderr.on('data', (data) => { leat.said += data; });
    for await (const line of readline.createInterface({ input: leat.process.stdout })) {
      const found = /^leat: serving on (http:\S+)$/.exec(line.trim());
      if (found) leat.url = found[1];
      const admin = /^leat: admin on (http:\S+)$/.exec(line.trim());
      if (admin) leat.admin = admin[1];
      if (line.trim().endsWith('ready')) break;
    }
    if (!leat.url) throw new Error(`leat did not start: ${leat.said}`);
    return leat;
  }

  async close() {
    const ended = new Promise((done) => this.process.once('exit', done));
    this.process.kill('SIGTERM');
    this.process.kill('SIGTERM');
    const late = setTimeout(() => this.process.kill('SIGKILL'), 3000 * slow);
    await ended;
    clearTimeout(late);
    fs.rmSync(this.folder, { recursive: true });
  }
}

// ---- Recordings ---------------------------------------------------------------------------------

/** Text of a content that may be a list of parts. */
function textOf(content) {
  if (!Array.isArray(content)) return content ?? '';
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** Collects what a client saw; usage is the last one, as every client takes it. */
export class Collected {
  text = '';
  tools = [];
  finish = null;
  usage = null;
  cost = null;   // in dollars; null if the client was told of none
  answered = 0;  // tokens of the answer, reasoning included, whatever the provider calls them

  addChunk(event) {
    const said = event.usage ?? event.x_groq?.usage;
    if (said) {
      this.usage = [said.prompt_tokens, said.completion_tokens];
      this.cost = said.cost ?? null;
    }
    if (said?.total_tokens) this.answered = said.total_tokens - said.prompt_tokens;
    for (const choice of event.choices ?? []) {
      this.text += textOf(choice.delta?.content);
      this.finish = choice.finish_reason ?? this.finish;
      for (const call of choice.delta?.tool_calls ?? []) this.#addCall(call);
    }
  }

  #addCall(call) {
    const at = call.index ?? 0;
    const known = (this.tools[at] ??= { id: '', name: '', arguments: '' });
    known.id ||= call.id ?? '';
    known.name += call.function?.name ?? '';
    known.arguments += call.function?.arguments ?? '';
  }
}

// ---- Clients ------------------------------------------------------------------------------------

const messages = [{ role: 'user', content: 'What?' }];

function openai(face) {
  const make = (leat, key) =>
    new OpenAI({ baseURL: leat.url + face, apiKey: key, maxRetries: 0, timeout: 20000 * slow });
  const fields = { model: MODEL, messages };
  return {
    name: `openai ${face}`,
    make,
    async stream(client, { signal, model = MODEL, onText } = {}) {
      const seen = new Collected();
      const events = await client.chat.completions.create(
        { ...fields, model, stream: true, stream_options: { include_usage: true } }, { signal });
      for await (const event of events) {
        seen.addChunk(event);
        if (seen.text) onText?.();
      }
      return seen;
    },
    async whole(client) {
      const seen = new Collected();
      const { choices: [choice], usage: said } = await client.chat.completions.create(fields);
      seen.text = choice.message.content;
      seen.finish = choice.finish_reason;
      seen.usage = [said.prompt_tokens, said.completion_tokens];
      seen.cost = said.cost ?? null;
      return seen;
    },
    tellsCost: face === '/api/v1',
    status: (error) => error.status,
  };
}

const openrouter = {
  name: '@openrouter/sdk /api/v1',
  make: (leat, key) => new OpenRouter({
    apiKey: key, serverURL: `${leat.url}/api/v1`, retryConfig: { strategy: 'none' },
  }),
  async stream(client, { signal, model = MODEL, onText } = {}) {
    const seen = new Collected();
    const events = await client.chat.send(
      { chatRequest: { model, messages, stream: true } }, { fetchOptions: { signal } });
    for await (const event of events) {
      if (event.error) throw Object.assign(new Error(event.error.message), { inStream: true });
      seen.addChunk({
        usage: event.usage && {
          prompt_tokens: event.usage.promptTokens, completion_tokens: event.usage.completionTokens,
          cost: event.usage.cost,
        },
        choices: event.choices.map(({ delta, finishReason }) => ({
          delta: { content: delta.content, tool_calls: delta.toolCalls },
          finish_reason: finishReason,
        })),
      });
      if (seen.text) onText?.();
    }
    return seen;
  },
  async whole(client) {
    const seen = new Collected();
    const { choices: [choice], usage: said } =
      await client.chat.send({ chatRequest: { model: MODEL, messages } });
    seen.text = choice.message.content;
    seen.finish = choice.finishReason;
    seen.usage = [said.promptTokens, said.completionTokens];
    seen.cost = said.cost;
    return seen;
  },
  tellsCost: true,
  status: (error) => error.statusCode,
};

const anything = tool({ inputSchema: jsonSchema({ type: 'object' }) });

function fromAi(seen, finish, said) {
  seen.finish = finish.replace('-', '_');
  seen.usage = [said.inputTokens, said.outputTokens];
  return seen;
}

const aiSdk = {
  name: 'ai + @openrouter/ai-sdk-provider /api/v1',
  make: (leat, key) => createOpenRouter({
    baseURL: `${leat.url}/api/v1`, apiKey: key, compatibility: 'strict',
  }),
  async stream(client, { signal, model = MODEL, onText } = {}) {
    const seen = new Collected();
    const { fullStream } = streamText({
      model: client.chat(model), messages, abortSignal: signal, maxRetries: 0, onError() {},
      tools: { weather: anything, webSearchTool: anything },
    });
    for await (const part of fullStream) {
      if (part.type === 'error') throw part.error;
      if (part.type === 'abort') throw new Error('aborted');
      if (part.type === 'text-delta') {
        seen.text += part.text;
        onText?.();
      }
      if (part.type === 'tool-call') {
        const { toolCallId: id, toolName: name, input } = part;
        seen.tools.push({ id, name, arguments: JSON.stringify(input) });
      }
      if (part.type === 'finish-step') {
        seen.cost = part.providerMetadata?.openrouter?.usage?.cost ?? null;
      }
      if (part.type === 'finish') fromAi(seen, part.finishReason, part.totalUsage);
    }
    return seen;
  },
  async whole(client) {
    const seen = new Collected();
    const answer = await generateText({ model: client.chat(MODEL), messages, maxRetries: 0 });
    seen.text = answer.text;
    seen.cost = answer.providerMetadata?.openrouter?.usage?.cost ?? null;
    return fromAi(seen, answer.finishReason, answer.usage);
  },
  tellsCost: true,
  status: (error) => error.statusCode,
};

export const clients = [openai('/v1'), openai('/api/v1'), openrouter, aiSdk];
