// SPDX-License-Identifier: Apache-2.0
// What happens now: rates, first tokens, what runs, what was refused and why.
import { chart } from './chart.js';
import { bar, card, fill, h, milliseconds, percent, rate, say, short, table, whole } from './parts.js';

const kWindow = 300; // seconds that the charts show
const kSmooth = 5; // seconds that a number is the mean of

function tile(label, hint) {
  const value = h('p', { class: 'value' }, '–');
  const more = h('p', { class: 'more' }, '\u00a0');
  return { root: h('div', { class: 'tile', title: hint ?? null }, h('h2', {}, label), value, more), value, more };
}

/** Changes a second of a counter between neighbours, over up to kSmooth seconds. */
function rates(history, name) {
  const { at } = history;
  const values = history[name];
  return at.map((time, i) => {
    const from = Math.max(0, i - kSmooth);
    if (from === i || time <= at[from]) return null;
    return Math.max(0, values[i] - values[from]) / ((time - at[from]) / 1000);
  });
}

export function live() {
  const tiles = {
    requests: tile('Requests/s', 'The mean of five seconds'),
    tokens: tile('Tokens/s', 'Events of streams, which carry about a token each, as they pass'),
    running: tile('Running', 'Requests that are being served'),
    first: tile('First token', 'Half of the last five minutes’ requests had their first token within'),
    failures: tile('Failed attempts/s', 'Attempts at providers; most are made good by another'),
    refused: tile('Refused/s', 'Requests that got an error of ours'),
  };
  const requests = chart('Requests a second', [{ name: 'Requests', tone: 'water' },
    { name: 'Refused', tone: 'bad' }], rate);
  const tokens = chart('Tokens a second', [{ name: 'Streaming', tone: 'water' },
    { name: 'Settled', tone: 'second' }], rate);
  const percentiles = table('First token by percentile', [{ name: 'Window', head: true },
    { name: 'p50', number: true }, { name: 'p75', number: true }, { name: 'p90', number: true },
    { name: 'p99', number: true }]);
  const refusals = table('Refusals by reason', [{ name: 'Reason', head: true },
    { name: 'Share' }, { name: 'Requests', number: true }], { empty: 'Nothing was refused.' });
  const cores = table('Cores by shard', [{ name: 'Shard', head: true }, { name: 'Use' },
    { name: 'Busy', number: true }, { name: 'Late', number: true }, { name: 'Events wait', number: true }]);
  const sums = h('dl', { class: 'facts' });
  const cards = [
    [card('Tokens a second', { note: 'last five minutes' }), tokens.root],
    [card('Requests a second', { note: 'last five minutes' }), requests.root],
    [card('First token', { note: 'of all endpoints' }), percentiles.root],
    [card('Refusals and why', { note: 'since the start' }), refusals.root],
    [card('Cores', { note: 'what events of streams wait for when they are busy' }), cores.root],
    [card('Since the start', { wide: true }), sums],
  ];
  for (const [one, content] of cards) fill(one.body, content);
  const root = h('div', {}, h('div', { class: 'tiles' }, Object.values(tiles).map((one) => one.root)),
    h('div', { class: 'grid' }, cards.map(([one]) => one.root)));

  function last(values) { return values.length > 0 ? values[values.length - 1] : null; }

  function update({ frame, history }) {
    if (!frame) return;
    const from = Math.max(0, history.at.length - kWindow);
    const at = history.at.slice(from).map((time) => time / 1000);
    const by = Object.fromEntries(['requests', 'refused', 'events', 'completion_tokens', 'failures']
      .map((name) => [name, rates(history, name)]));
    const cut = (name) => by[name].slice(from);
    requests.set([at, cut('requests'), cut('refused')]);
    tokens.set([at, cut('events'), cut('completion_tokens')]);
    const { counters } = frame;
    say(tiles.requests.value, rate(last(by.requests)));
    say(tiles.requests.more, `${whole(counters.requests)} in all`);
    say(tiles.tokens.value, rate(last(by.events)));
    say(tiles.tokens.more, `${short(counters.completion_tokens)} completed`);
    say(tiles.running.value, whole(counters.requests_open));
    say(tiles.running.more, `${whole(counters.connections_open)} connections`);
    say(tiles.first.value, milliseconds(frame.first_token_ms_5m?.p50));
    say(tiles.first.more, `p99 ${milliseconds(frame.first_token_ms_5m?.p99)}`);
    say(tiles.failures.value, rate(last(by.failures)));
    say(tiles.failures.more, `${whole(counters.retries)} retries, ${whole(counters.hedges)} hedges`);
    say(tiles.refused.value, rate(last(by.refused)));
    const refused = Object.entries(frame.refusals).sort((a, b) => b[1] - a[1]);
    const all = refused.reduce((sum, [, count]) => sum + count, 0);
    say(tiles.refused.more, `${whole(all)} in all`);
    refusals.set(refused.map(([reason, count]) =>
      [reason, bar(count / all, { label: percent(count / all) }), whole(count)]));
    cores.set((frame.cores ?? []).map((core, i) => [String(i),
      bar(core.busy, { label: percent(core.busy), tone: core.busy > 0.9 ? 'warn' : '' }),
      percent(core.busy), milliseconds(core.late_ms), milliseconds(core.hold_ms)]));
    percentiles.set([['5 minutes', frame.first_token_ms_5m], ['30 minutes', frame.first_token_ms_30m]]
      .map(([name, p]) => [name, ...['p50', 'p75', 'p90', 'p99'].map((key) => milliseconds(p?.[key]))]));
    fill(sums, [
      ['Streams completed', counters.streams_completed], ['Answers in one piece', counters.answers_completed],
      ['Client left early', counters.client_gone], ['Attempts at providers', counters.attempts],
      ['Streams cut', counters.streams_cut], ['Streams carried on elsewhere', counters.streams_continued],
      ['Prompt tokens', counters.prompt_tokens], ['Completion tokens', counters.completion_tokens],
      ['Ledger records', counters.ledger_entries],
    ].map(([name, count]) => h('div', {}, h('dt', {}, name), h('dd', {}, whole(count)))));
  }
  return { root, update };
}
