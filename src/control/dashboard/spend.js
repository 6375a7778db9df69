// SPDX-License-Identifier: Apache-2.0
// Money: who spent it on what, budgets and how fast they burn; and the ranking of models, apps and
// keys by what was really used, over days, with what prices did to their shares.
import { chart } from './chart.js';
import { badge, bar, card, choice, dollars, fill, h, percent, short, table, whole } from './parts.js';

const kRefreshMs = 10000;
const kTop = 8;
const kRanges = [['1', 'Today'], ['7', '7 days'], ['30', '30 days']];
const kMeasures = [['charge', 'Money'], ['tokens', 'Tokens'], ['requests', 'Requests']];
const kBy = [['model', 'Model'], ['key', 'Key'], ['provider', 'Provider'], ['app', 'App']];
const texts = { charge: dollars, tokens: short, requests: whole };

const total = (values, days) => values.slice(-days).reduce((sum, value) => sum + value, 0);

/** What both views ask, kept fresh while one of them is shown. */
function usage(ask, draw) {
  const self = { data: null, fault: '' };
  let due = 0;
  async function refresh() {
    due = Date.now() + kRefreshMs;
    const { status, json } = await ask('/dashboard/usage');
    self.data = status === 200 ? json.data : null;
    self.fault = status === 200 ? '' : status === 401
      ? 'Sign in with the operator’s key, or a management key, to see money.'
      : json?.error?.message ?? 'No answer came.';
    draw();
  }
  self.refresh = refresh;
  self.tick = () => { if (Date.now() >= due) refresh(); };
  return self;
}

function ranked(rows, measure, days) {
  return rows.map((row) => [row, total(row[measure], days)]).filter(([, sum]) => sum > 0)
    .sort((a, b) => b[1] - a[1]);
}

export function spend({ ask }) {
  let range = '7';
  const source = usage(ask, draw);
  const notice = h('p', { class: 'notice' });
  const totals = h('div', { class: 'tiles' });
  const parts = kBy.map(([by, title]) => {
    const rows = table(`Spend by ${title.toLowerCase()}`, [{ name: title, head: true }, { name: 'Share' },
      { name: 'Charged', number: true }, { name: 'Requests', number: true }], { empty: 'Nothing was spent.' });
    const one = card(`By ${title.toLowerCase()}`);
    fill(one.body, rows.root);
    return { by, rows, root: one.root };
  });
  const days = chart('Charged a day', [{ name: 'Charged', tone: 'water' }], (value) => (value > 0 && value < 0.01 ? `$${Number(value.toPrecision(2))}` : dollars(value)),
    { stepped: true, times: (at) => source.data?.days[at]?.slice(5) ?? '' });
  const over = card('Charged a day', { wide: true, note: 'UTC' });
  fill(over.body, days.root);
  const budgets = table('Budgets and their burn', [{ name: 'Key', head: true }, { name: 'Used' }, { name: 'Of', number: true },
    { name: 'Spent', number: true }, { name: 'Period' }, { name: 'At this pace' }], { empty: 'No key has a budget.' });
  const burn = card('Budgets and their burn', { wide: true });
  fill(burn.body, budgets.root);
  const content = h('div', {}, h('div', { class: 'row' }, choice('Days', kRanges, range, (value) => { range = value; draw(); })),
    totals, h('div', { class: 'grid' }, over.root, parts.map((part) => part.root), burn.root));
  const root = h('div', {}, notice, content);

  function pace(one) {
    if (one.limit <= 0) return badge('spent', 'bad');
    if (one.used >= one.limit) return badge('spent', 'bad');
    if (one.burn_day <= 0) return '–';
    const left = (one.limit - one.used) / one.burn_day;
    if (one.days_left != null && left > one.days_left) return badge('lasts the period', 'good');
    return badge(left < 1 ? `${Math.max(1, Math.round(left * 24))} h left` : `${Math.round(left)} days left`, left < 1 ? 'bad' : 'warn');
  }

  function draw() {
    notice.hidden = source.fault === '';
    notice.textContent = source.fault;
    content.hidden = source.data === null;
    if (source.data === null) return;
    const { data } = source;
    const count = Number(range);
    const sums = [['Charged', dollars(total(data.totals.charge, count))], ['Cost', dollars(total(data.totals.cost, count))],
      ['Requests', whole(total(data.totals.requests, count))], ['Tokens', short(total(data.totals.tokens, count))]];
    fill(totals, sums.map(([name, value]) => h('div', { class: 'tile' }, h('h2', {}, name), h('p', { class: 'value' }, value))));
    const shown = Math.max(count, 7);
    const from = data.days.length - shown;
    days.set([data.days.slice(from).map((_, i) => from + i), data.totals.charge.slice(from)]);
    const all = total(data.totals.charge, count);
    for (const part of parts) {
      part.rows.set(ranked(data.by[part.by], 'charge', count).slice(0, kTop).map(([row, sum]) => {
        const share = all > 0 ? sum / all : 0;
        return [row.name || 'not named', bar(share, { label: percent(share) }), dollars(sum), whole(total(row.requests, count))];
      }));
    }
    budgets.set(data.budgets.map((one) => [one.key,
      bar(one.limit > 0 ? one.used / one.limit : 1, {
        label: percent(one.limit > 0 ? one.used / one.limit : 1), tone: one.used >= one.limit ? 'bad' : '',
      }), dollars(one.limit), dollars(one.used), one.period, pace(one)]));
  }
  return { root, update: () => source.tick(), show: () => source.refresh() };
}

export function ranking({ ask }) {
  let by = 'model';
  let measure = 'tokens';
  const source = usage(ask, draw);
  const notice = h('p', { class: 'notice' });
  const tones = ['water', 'second', 'third', 'fourth', 'fifth'];
  const place = h('div');
  const top = table('Top of the last seven days', [{ name: '#', number: true }, { name: 'Name', head: true }, { name: 'Share' },
    { name: 'Share', number: true }, { name: '7 days', number: true }, { name: 'Before', number: true }, { name: 'Move', number: true }]);
  const moves = table('Shares before and after prices changed', [{ name: 'Day', head: true }, { name: 'Model' }, { name: 'Endpoint' },
    { name: 'A million tokens', number: true }, { name: 'Share before', number: true }, { name: 'After', number: true }, { name: 'Move', number: true }],
  { empty: 'No price changed in these days.' });
  const over = card('Over time', { wide: true, note: 'shares of each day, UTC' });
  fill(over.body, place);
  const first = card('Top', { note: 'the last seven days beside the seven before', wide: true });
  fill(first.body, top.root);
  const prices = card('After price changes', { wide: true, note: 'shares of a model’s tokens under one price list and the next' });
  fill(prices.body, moves.root);
  const content = h('div', {}, h('div', { class: 'row' }, choice('Rank', kBy, by, (value) => { by = value; draw(); }),
    choice('By', kMeasures, measure, (value) => { measure = value; draw(); })),
  h('div', { class: 'grid' }, first.root, over.root, prices.root));
  const root = h('div', {}, notice, content);
  let graph = null;
  let graphed = '';

  function move(now, before) {
    if (before === 0) return badge('new', 'good');
    const change = now - before;
    const text = `${change >= 0 ? '+' : '−'}${Math.abs(change * 100).toFixed(1)}`;
    return { text, class: change > 0.001 ? 'up' : change < -0.001 ? 'down' : '' };
  }

  function draw() {
    notice.hidden = source.fault === '';
    notice.textContent = source.fault;
    content.hidden = source.data === null;
    if (source.data === null) return;
    const { data } = source;
    const count = data.days.length;
    const all = total(data.totals[measure], 7);
    const allBefore = total(data.totals[measure].slice(0, count - 7), 7);
    const rows = ranked(data.by[by], measure, 7);
    top.set(rows.slice(0, 12).map(([row, sum], i) => {
      const share = sum / all;
      const before = total(row[measure].slice(0, count - 7), 7);
      return [String(i + 1), row.name || 'not named', bar(share, { label: percent(share) }), percent(share, 1),
        texts[measure](sum), texts[measure](before), move(share, allBefore > 0 ? before / allBefore : 0)];
    }));
    const drawn = rows.slice(0, tones.length).map(([row]) => row);
    const name = `${by} ${measure} ${drawn.map((row) => row.name).join(' ')}`;
    if (graphed !== name) {
      graphed = name;
      graph = chart('Share of each day', drawn.map((row, i) => ({ name: row.name || 'not named', tone: tones[i] })),
        (share) => percent(share), { times: (at) => source.data?.days[at]?.slice(5) ?? '' });
      fill(place, graph.root);
    }
    graph.set([data.days.map((_, i) => i), ...drawn.map((row) =>
      row[measure].map((value, i) => (data.totals[measure][i] > 0 ? value / data.totals[measure][i] : 0)))]);
    moves.set(data.price_changes.map((one) => [one.day, one.model, one.endpoint,
      `${dollars(one.price_before)} → ${dollars(one.price_after)}`, percent(one.share_before, 1), percent(one.share_after, 1),
      move(one.share_after, one.share_before)]));
  }
  return { root, update: () => source.tick(), show: () => source.refresh() };
}
