// SPDX-License-Identifier: Apache-2.0
// A leat with a ledger, an operator and three providers of one model, traffic through it that streams,
// fails, waits and is refused; and a browser that sees its dashboard. Whatever is started here is
// ended here.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

import { chromium } from 'playwright-core';

export const OPERATOR = 'operator-key-0123456789-0123456789';
export const KEYS = { storefront: 'client-key-0123456789', batch: 'client-key-9876543210' };

/** Streams `tokens` events a `gap` apart; 500 for each `fails`-th request; does not end what has HOLD. */
class Provider {
  #count = 0;
  constructor({ tokens = 12, gap = 2, fails = 0 } = {}) {
    this.server = http.createServer((request, response) => {
      let text = '';
      request.on('data', (data) => { text += data; });
      request.on('end', () => this.#answer(text, response, { tokens, gap, fails }));
    });
  }
  listen() {
    return new Promise((done) => this.server.listen(0, '127.0.0.1', () => {
      this.url = `http://127.0.0.1:${this.server.address().port}/v1`;
      done(this);
    }));
  }
  #answer(text, response, { tokens, gap, fails }) {
    this.#count += 1;
    if (fails > 0 && this.#count % fails === 0) {
      response.writeHead(500, { 'content-type': 'application/json' });
      return response.end('{"error":{"message":"out of order"}}');
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const base = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1770000000, model: 'upstream' };
    const event = (delta, more = {}) => response.write(`data: ${JSON.stringify({
      ...base, choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`);
    let sent = 0;
    const timer = setInterval(() => {
      if (sent < tokens) {
        sent += 1;
        return event({ content: `${sent} ` });
      }
      if (text.includes('HOLD') && !response.destroyed) {
        sent += 1; // now and then a token, so that nobody takes it for dead
        return (sent * gap) % 2000 < gap ? event({ content: '.' }) : undefined;
      }
      clearInterval(timer);
      event({}, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
      event({}, { choices: [], usage: { prompt_tokens: 20, completion_tokens: tokens, total_tokens: 20 + tokens } });
      return response.end('data: [DONE]\n\n');
    }, gap);
    response.on('close', () => clearInterval(timer));
    return undefined;
  }
  close() {
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }
}

export class Scene {
  static async start() {
    const scene = new Scene();
    scene.providers = await Promise.all([{ gap: 2 }, { gap: 5 }, { gap: 3, fails: 3 }].map((how) => new Provider(how).listen()));
    scene.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'leat-dashboard-'));
    fs.mkdirSync(path.join(scene.folder, 'ledger'));
    const config = path.join(scene.folder, 'leat.toml');
    const names = ['millrace', 'weir', 'sluice'];
    fs.writeFileSync(config, `
[server]
listen = ["127.0.0.1:0"]
shards = 2
[admin]
listen = "127.0.0.1:0"
socket = "${scene.folder}/admin.sock"
operator_key = { env = "LEAT_TEST_OPERATOR" }
[ledger]
folder = "ledger"
segment_mib = 1
[[keys]]
name = "storefront"
secret = { env = "LEAT_TEST_STOREFRONT" }
limits = { budget_usd_max = "0.5", budget_period = "daily" }
[[keys]]
name = "batch"
secret = { env = "LEAT_TEST_BATCH" }
limits = { requests_per_minute_max = 12, budget_usd_max = "0.004", budget_period = "weekly" }
${scene.providers.map((one, i) => `[providers.${names[i]}]
base_url = "${one.url}"
allow_private = true`).join('\n')}
[[models]]
id = "acme/river"
endpoints = [
${names.map((name, i) => `{ provider = "${name}", model = "upstream", price = { prompt = "${i + 1}", completion = "${2 * (i + 1)}" } },`).join('\n')}
]
[[models]]
id = "acme/brook"
endpoints = [{ provider = "weir", model = "upstream", price = { prompt = "0.5", completion = "1" } }]
`);
    scene.process = spawn(process.env.LEAT, ['serve', '--config', config], {
      env: { ...process.env, LEAT_TEST_OPERATOR: OPERATOR, LEAT_TEST_STOREFRONT: KEYS.storefront, LEAT_TEST_BATCH: KEYS.batch },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    scene.said = '';
    scene.process.stderr.on('data', (data) => { scene.said += data; });
    for await (const line of readline.createInterface({ input: scene.process.stdout })) {
      scene.url ??= /^leat: serving on (http:\S+)$/.exec(line.trim())?.[1];
      scene.admin ??= /^leat: admin on (http:\S+)$/.exec(line.trim())?.[1];
      if (line.trim().endsWith('ready')) break;
    }
    if (!scene.admin) throw new Error(`leat did not start: ${scene.said}`);
    return scene;
  }

  /** Sends one streamed request and reads its answer to the end; its id. */
  async send({ key = 'storefront', model = 'acme/river', text = 'Hello', app = 'https://shop.example', signal } = {}) {
    const answer = await fetch(`${this.url}/api/v1/chat/completions`, {
      method: 'POST', signal,
      headers: { authorization: `Bearer ${KEYS[key] ?? key}`, 'content-type': 'application/json', 'http-referer': app, 'x-title': app.slice(8) },
      body: JSON.stringify({ model, stream: true, max_tokens: 40, messages: [{ role: 'user', content: text }] }),
    });
    const said = await answer.text();
    return /"id":"(gen-[^"]+)"/.exec(said)?.[1];
  }

  /** Streams that stay open until the scene ends. */
  hold(count) {
    this.holding = new AbortController();
    for (let i = 0; i < count; i += 1) {
      this.send({ text: 'HOLD', key: 'storefront', signal: this.holding.signal }).catch(() => {});
    }
  }

  /** Requests, until stop() is called, of several keys, models and apps; some are refused. */
  traffic() {
    let running = true;
    const apps = ['https://shop.example', 'https://search.example', 'https://notes.example'];
    const one = async (n) => {
      for (let i = n; running; i += 4) {
        await this.send({ app: apps[i % 3], model: i % 3 === 0 ? 'acme/brook' : 'acme/river', key: i % 5 === 0 ? 'batch' : i % 17 === 0 ? 'wrong' : 'storefront' });
        await new Promise((next) => { setTimeout(next, 25); });
      }
    };
    const all = [0, 1, 2, 3].map(one);
    return async () => {
      running = false;
      await Promise.all(all);
    };
  }

  async metrics() {
    const text = await (await fetch(`${this.admin}/metrics`)).text();
    const values = new Map();
    for (const line of text.split('\n')) {
      const found = /^(\S+(?:\{.*\})?) (\S+)$/.exec(line);
      if (found && !line.startsWith('#')) values.set(found[1], Number(found[2]));
    }
    return values;
  }

  async close() {
    this.holding?.abort();
    const ended = new Promise((done) => this.process.once('exit', done));
    this.process.kill('SIGTERM');
    this.process.kill('SIGTERM');
    const late = setTimeout(() => this.process.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(late);
    await Promise.all(this.providers.map((one) => one.close()));
    fs.rmSync(this.folder, { recursive: true });
  }
}

/** Debian's browser; as root it has no sandbox of its own, and it opens nothing but our page. */
export function browser() {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
}
