// SPDX-License-Identifier: Apache-2.0
// The requests that run now, and the life of one that has ended, by its id.
import { age, badge, card, dollars, fill, h, milliseconds, table, whole } from './parts.js';

const kLocked = 'Sign in with the operator’s key to see requests.';

function lines(record) {
  const start = Math.max(record.total_ms, 1);
  const svg = (name, attributes) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const height = 22;
  const graph = svg('svg', {
    class: 'life', viewBox: `0 0 1000 ${height * Math.max(record.attempts.length, 1)}`,
    preserveAspectRatio: 'none', 'aria-hidden': 'true',
  });
  record.attempts.forEach((one, i) => {
    const x = (one.started_ms / start) * 1000;
    const answered = one.outcome === 'succeeded';
    const end = answered ? record.total_ms : one.started_ms + one.latency_ms;
    const y = i * height + 5;
    graph.append(svg('rect', {
      class: `wait ${answered ? 'good' : 'bad'}`, x, y, height: 12,
      width: Math.max((one.latency_ms / start) * 1000, 3),
    }));
    if (answered) {
      const from = x + (one.latency_ms / start) * 1000;
      graph.append(svg('rect', { class: 'stream', x: from, y, height: 12, width: Math.max((end / start) * 1000 - from, 2) }));
    }
  });
  return graph;
}

function told(record) {
  const attempts = table('Attempts', [{ name: '#', number: true }, { name: 'Endpoint', head: true },
    { name: 'Outcome' }, { name: 'Status', number: true }, { name: 'Began', number: true },
    { name: 'First content', number: true }], { empty: 'No provider was asked.' });
  attempts.set(record.attempts.map((one, i) => [String(i + 1), one.endpoint,
    badge(one.outcome.replaceAll('_', ' '), one.outcome === 'succeeded' ? 'good' : 'warn'),
    one.status === 0 ? '–' : String(one.status), milliseconds(one.started_ms), milliseconds(one.latency_ms)]));
  const facts = [['Asked for', record.model_asked], ['Served by', [record.model_served, record.endpoint].filter(Boolean).join(' · ') || 'nobody'],
    ['Key', record.key], ['App', record.app], ['Began', record.began], ['Waited for the first attempt', milliseconds(record.queued_ms)],
    ['First token', record.first_token_ms ? milliseconds(record.first_token_ms) : null], ['Took', milliseconds(record.total_ms)],
    ['Answer', record.status ? String(record.status) : 'none was begun'],
    ['Finish', record.finish_reason], ['Refused with', record.error_type],
    ['Tokens', `${whole(record.prompt_tokens)} in, ${whole(record.completion_tokens)} out`],
    ['Charged', dollars(record.charge)], ['Cost', dollars(record.cost)], ['Flags', record.flags.join(', ')]];
  return [h('dl', { class: 'facts' }, facts.filter(([, value]) => value).map(([name, value]) =>
    h('div', {}, h('dt', {}, name), h('dd', {}, value)))),
  h('h3', {}, 'Attempts'), lines(record), attempts.root];
}

export function requests({ ask, state }) {
  const running = table('Requests that run now', [{ name: 'Age', number: true }, { name: 'Request', head: true },
    { name: 'Key' }, { name: 'Model' }, { name: 'Endpoint' }, { name: 'Stage' },
    { name: 'Attempts', number: true }, { name: 'Tokens', number: true }], { empty: 'Nothing runs.' });
  const lockedNote = h('p', { class: 'notice' }, kLocked);
  const now = card('Running now', { wide: true, note: 'the oldest first' });
  fill(now.body, lockedNote, running.root);

  const input = h('input', { id: 'request-id', required: true, autocomplete: 'off', spellcheck: 'false', placeholder: 'gen-…' });
  const result = h('div', { 'aria-live': 'polite' });
  async function look(id) {
    input.value = id;
    const { status, json } = await ask(`/dashboard/request?id=${encodeURIComponent(id)}`);
    if (status === 200) fill(result, told(json.data));
    else fill(result, h('p', { class: 'fault' }, status === 401 ? kLocked : json?.error?.message ?? 'No answer came.'));
  }
  const find = card('A request’s life', { wide: true, note: 'from its record in the ledger' });
  fill(find.body, h('form', { class: 'row', onsubmit: (event) => { event.preventDefault(); look(input.value.trim()); } },
    h('label', { for: 'request-id' }, 'Id'), input, h('button', { type: 'submit' }, 'Look up')), result);

  function update({ frame }) {
    const streams = frame?.running;
    lockedNote.hidden = streams !== undefined;
    running.root.hidden = streams === undefined;
    if (streams === undefined) return;
    running.set(streams.map((one) => [age(one.age_ms / 1000), h('code', {}, one.id), one.key || '–', one.model,
      one.endpoint || '–', one.stage, whole(one.attempts), one.events == null ? '–' : whole(one.events)]));
  }
  return { root: h('div', { class: 'grid' }, now.root, find.root), update, show: () => update(state) };
}
