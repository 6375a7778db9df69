// SPDX-License-Identifier: Apache-2.0
// What would become of a request: asked of the router itself, which calls nobody for it.
import { badge, card, fill, h, percent, table } from './parts.js';

const kSample = { model: '', messages: [{ role: 'user', content: 'Hello' }] };

export function explain({ ask }) {
  const answer = h('div', { 'aria-live': 'polite' });
  const body = h('textarea', { id: 'explain-body', rows: '10', spellcheck: 'false' });
  const key = h('input', { id: 'explain-key', autocomplete: 'off', spellcheck: 'false' });
  body.value = JSON.stringify(kSample, null, 2);

  function told(report) {
    const place = (one) => [one.model, one.endpoint, one.provider,
      `$${one.price_per_million.prompt ?? '?'} / $${one.price_per_million.completion ?? '?'}`];
    const columns = [{ name: '#', number: true }, { name: 'Model', head: true }, { name: 'Endpoint' },
      { name: 'Provider' }, { name: 'Prompt / completion, 1M', number: true }];
    const tried = table('Candidates in the order in which they are tried',
      [...columns, { name: 'Why' }, { name: 'First', number: true }], { empty: 'Nobody would be asked.' });
    tried.set(report.candidates.map((one, i) => [String(i + 1), ...place(one), one.reasons.join(', '),
      one.first_chance == null ? '–' : percent(one.first_chance, 1)]));
    const left = table('Endpoints that are not asked', [...columns.slice(1), { name: 'Why not' }],
      { empty: 'No endpoint was left out.' });
    left.set(report.excluded.map((one) => [...place(one), one.text]));
    fill(answer,
      report.error ? h('p', {}, badge(`${report.error.code} ${report.error.error_type}`, 'bad'), ' ', report.error.message) : null,
      h('h3', {}, 'Tried in this order'), tried.root, h('h3', {}, 'Not asked'), left.root);
  }

  async function submit(event) {
    event.preventDefault();
    const name = key.value.trim();
    const query = name ? `?key=${encodeURIComponent(name)}` : '';
    const { status, json } = await ask(`/api/v1/explain${query}`, { method: 'POST', body: body.value });
    if (status === 200) told(json);
    else fill(answer, h('p', { class: 'fault' }, json?.error?.message ?? `The answer was ${status}.`));
  }

  const form = h('form', { onsubmit: submit, class: 'explain' },
    h('label', { for: 'explain-body' }, 'Request, as a client would POST it'), body,
    h('label', { for: 'explain-key' }, 'Name of the key that asks (empty: the first)'),
    h('div', { class: 'row' }, key, h('button', { type: 'submit' }, 'Explain')));
  const ask_ = card('Request');
  const answer_ = card('What would become of it', { wide: true });
  fill(ask_.body, form);
  fill(answer_.body, answer);
  fill(answer, h('p', { class: 'empty' }, 'Nobody is called to find out.'));
  function update({ frame }) {
    if (frame?.endpoints?.length && body.value === JSON.stringify(kSample, null, 2)) {
      body.value = JSON.stringify({ ...kSample, model: frame.endpoints[0].model }, null, 2);
      kSample.model = frame.endpoints[0].model;
    }
  }
  return { root: h('div', { class: 'grid' }, ask_.root, answer_.root), update };
}
