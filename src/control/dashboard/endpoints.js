// SPDX-License-Identifier: Apache-2.0
// Each endpoint: how it is, what its last attempts came to, how fast it is, and which share of its
// model's traffic it has beside the share that the plan would give it.
import { badge, bar, card, fill, h, milliseconds, percent, rate, statuses, table, whole } from './parts.js';

const kCells = 32;
const kOutcomes = {
  success: ['answered', 'good'], failure: ['failed', 'bad'], rate_limited: ['rate-limited', 'warn'],
  region: ['refused for its region', 'warn'], not_counted: ['not its doing', 'none'],
};

export function strip(outcomes) {
  const cells = outcomes.slice(0, kCells);
  const counts = {};
  for (const { outcome } of cells) counts[outcome] = (counts[outcome] ?? 0) + 1;
  const said = Object.entries(counts).map(([name, count]) => `${count} ${kOutcomes[name][0]}`).join(', ');
  return h('div', { class: 'strip', role: 'img', 'aria-label': cells.length ? `Last ${cells.length}: ${said}` : 'No attempt yet' },
    cells.map((cell) => {
      const [text, tone] = kOutcomes[cell.outcome];
      const status = cell.status ? `, status ${cell.status}` : '';
      const first = cell.first_token_ms == null ? '' : `, first token ${milliseconds(cell.first_token_ms)}`;
      return h('span', { class: `cell ${tone}`, title: `${text}${status}${first}, ${cell.age_s} s ago` });
    }));
}

export function endpoints() {
  const list = h('div', { class: 'endpoints' });
  const shares = table('Traffic by endpoint beside the plan', [{ name: 'Model', head: true },
    { name: 'Endpoint' }, { name: 'Share and plan' }, { name: 'Has', number: true },
    { name: 'Planned', number: true }, { name: 'Attempts', number: true }]);
  const health = card('Health of endpoints', { wide: true, note: 'the newest attempt is on the left' });
  const traffic = card('Traffic share against the plan', {
    wide: true, note: 'attempts of the last five minutes; the tick is what the plan would give now',
  });
  const nothing = h('p', { class: 'empty' }, 'No endpoint was asked yet.');
  fill(health.body, list, nothing);
  fill(traffic.body, shares.root);
  const root = h('div', { class: 'grid' }, health.root, traffic.root);

  function row(one) {
    const [text, tone] = statuses[one.status];
    const p = one.first_token_ms;
    const fact = (name, value) => h('div', {}, h('dt', {}, name), h('dd', {}, value));
    return h('article', { class: 'endpoint' },
      h('div', { class: 'who' }, h('h3', {}, one.endpoint), h('p', {}, one.model)),
      badge(text, tone), strip(one.outcomes ?? []),
      h('dl', {}, fact('p50', milliseconds(p?.p50)), fact('p99', milliseconds(p?.p99)),
        fact('tokens/s', rate(one.tokens_per_second)),
        fact('up 30 min', one.uptime_30m == null ? '–' : `${one.uptime_30m.toFixed(1)} %`),
        fact('waiting', whole(one.waiting))));
  }

  function update({ frame }) {
    if (!frame) return;
    nothing.hidden = frame.endpoints.length > 0;
    fill(list, frame.endpoints.map(row));
    const byModel = new Map();
    for (const one of frame.endpoints) {
      const attempts = one.attempts_5m;
      const group = byModel.get(one.model) ?? { all: 0, rows: [] };
      group.all += attempts;
      group.rows.push([one, attempts]);
      byModel.set(one.model, group);
    }
    shares.set([...byModel.entries()].flatMap(([model, group]) => group.rows.map(([one, attempts]) => {
      const share = group.all > 0 ? attempts / group.all : null;
      const label = `${percent(share)} of attempts, planned ${percent(one.planned_share)}`;
      return [model, one.endpoint, bar(share, { mark: one.planned_share, label }), percent(share, 1),
        percent(one.planned_share, 1), whole(attempts)];
    })));
  }
  return { root, update };
}
