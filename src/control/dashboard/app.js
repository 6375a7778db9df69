// SPDX-License-Identifier: Apache-2.0
// The page: which view is shown, the events that it is fed by, and the key of who signed in, which is
// kept in this tab alone and only ever sent as a header to where the page came from.
import { endpoints } from './endpoints.js';
import { explain } from './explain.js';
import { live } from './live.js';
import { age, fill, h, say } from './parts.js';
import { requests } from './requests.js';
import { ranking, spend } from './spend.js';

const kKeyName = 'leat-key';
const kSamples = 600;
const kRetryMs = 2000;
const kSilentMs = 5000; // a frame comes each second

const $ = (id) => document.getElementById(id);

// ---- Asking -------------------------------------------------------------------------------------

const session = { key: sessionStorage.getItem(kKeyName) ?? '' };

function headers() {
  return session.key ? { authorization: `Bearer ${session.key}` } : {};
}

/** {status, json}; json is null where the answer was none. */
async function ask(path, options = {}) {
  try {
    const answer = await fetch(path, { ...options, headers: headers(), cache: 'no-store' });
    return { status: answer.status, json: await answer.json().catch(() => null) };
  } catch {
    return { status: 0, json: null };
  }
}

// ---- State --------------------------------------------------------------------------------------

const state = { frame: null, history: null, signedIn: () => session.key !== '' };

function take(name, data) {
  if (name === 'history') {
    state.history = data;
    return;
  }
  state.frame = data;
  const { history } = state;
  const { counters } = data;
  const sample = {
    at: data.at, requests: counters.requests, events: counters.stream_events,
    refused: Object.values(data.refusals).reduce((sum, count) => sum + count, 0),
    prompt_tokens: counters.prompt_tokens, completion_tokens: counters.completion_tokens,
    failures: counters.upstream_failures, running: counters.requests_open,
  };
  for (const [column, value] of Object.entries(sample)) {
    history[column].push(value);
    if (history[column].length > kSamples) history[column].shift();
  }
}

// ---- Views --------------------------------------------------------------------------------------

const kViews = [['live', 'Live', live], ['endpoints', 'Endpoints', endpoints],
  ['requests', 'Requests', requests], ['spend', 'Spend', spend], ['ranking', 'Ranking', ranking],
  ['explain', 'Explain', explain]];
const made = new Map();
let shown = null;

function show() {
  const wanted = location.hash.slice(1);
  const [name, title, make] = kViews.find(([one]) => one === wanted) ?? kViews[0];
  if (!made.has(name)) made.set(name, make({ ask, state }));
  const view = made.get(name);
  document.title = `${title} – Leat`;
  fill($('views'), kViews.map(([one, text]) =>
    h('a', { href: `#${one}`, 'aria-current': one === name ? 'page' : null }, text)));
  $('views').querySelector('[aria-current]').scrollIntoView({ block: 'nearest', inline: 'nearest' });
  const moved = shown !== null && shown !== view;
  shown = view;
  fill($('main'), h('h2', { class: 'unseen' }, title), view.root);
  view.update(state);
  view.show?.();
  if (moved) $('main').focus({ preventScroll: true });
}

function update() {
  const { frame } = state;
  const [text, tone] = frame === null ? ['connecting', 'none']
    : frame.ready ? ['serving', 'good'] : ['draining', 'warn'];
  status(text, tone);
  if (frame !== null) {
    say($('facts'), `${frame.version} · ${frame.shards} ${frame.shards === 1 ? 'shard' : 'shards'} · up ${age(frame.uptime_s)}`);
  }
  shown?.update(state);
}

function status(text, tone) {
  say($('state'), text);
  $('state').className = `state ${tone}`;
}

// ---- Events -------------------------------------------------------------------------------------

let stop = new AbortController();

async function read(signal) {
  const answer = await fetch('/dashboard/events', { headers: headers(), signal, cache: 'no-store' });
  if (answer.status === 401 && session.key) {
    sign('');
    return openDialog('That key may not see this.');
  }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = '';
  for (;;) {
    const silent = setTimeout(() => reader.cancel(), kSilentMs);
    const { done, value } = await reader.read();
    clearTimeout(silent);
    if (done) return undefined;
    held += value;
    for (let end = held.indexOf('\n\n'); end >= 0; end = held.indexOf('\n\n')) {
      const [event, data] = held.slice(0, end).split('\n');
      held = held.slice(end + 2);
      take(event.slice('event: '.length), JSON.parse(data.slice('data: '.length)));
      update();
    }
  }
}

async function watch() {
  const mine = stop.signal;
  while (!mine.aborted) {
    try {
      await read(mine);
    } catch {
      // The status says it, and the next try may succeed.
    }
    if (mine.aborted) return;
    status('connection lost', 'bad');
    await new Promise((next) => { setTimeout(next, kRetryMs); });
  }
}

// ---- Signing in ---------------------------------------------------------------------------------

function sign(key) {
  session.key = key;
  if (key) sessionStorage.setItem(kKeyName, key);
  else sessionStorage.removeItem(kKeyName);
  say($('key-button'), key ? 'Sign out' : 'Sign in');
}

function restart() {
  stop.abort();
  stop = new AbortController();
  watch();
  shown?.show?.();
}

function openDialog(fault = '') {
  say($('key-fault'), fault);
  $('key-input').value = '';
  if (!$('key-dialog').open) $('key-dialog').showModal();
}

$('key-button').addEventListener('click', () => {
  if (!session.key) return openDialog();
  sign('');
  return restart();
});
$('key-cancel').addEventListener('click', () => $('key-dialog').close());
$('key-form').addEventListener('submit', () => {
  sign($('key-input').value.trim());
  $('key-input').value = '';
  restart();
});

addEventListener('hashchange', show);
sign(session.key);
show();
watch();
