// SPDX-License-Identifier: Apache-2.0
// What the views are made of: elements, numbers as people read them, tables, bars.

/** An element; `attributes` may hold on... handlers; strings are texts, never markup. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Replaces the children, unless they say the same already: a reader's place is kept. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null));
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// ---- Numbers ------------------------------------------------------------------------------------

const kNone = '–';
const kWhole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const kShort = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

export const whole = (value) => (value == null ? kNone : kWhole.format(value));
export function short(value) {
  if (value == null || Number.isNaN(value)) return kNone;
  return Math.abs(value) < 1000 ? String(Number(value.toPrecision(3))) : kShort.format(value);
}
/** A rate: never more digits than it means. */
export function rate(value) {
  if (value == null) return kNone;
  if (value < 10) return value === 0 ? '0' : value.toFixed(1);
  return short(Math.round(value));
}
export function dollars(value) {
  if (value == null) return kNone;
  if (value === 0) return '$0';
  const size = Math.abs(value);
  const digits = size >= 1 ? 2 : Math.min(9, 2 - Math.floor(Math.log10(size)));
  return `${value < 0 ? '−' : ''}$${size >= 100000 ? kShort.format(size) : size.toFixed(digits)}`;
}
export const percent = (share, digits = 0) =>
  (share == null ? kNone : `${(share * 100).toFixed(digits)} %`);
export function milliseconds(value) {
  if (value == null) return kNone;
  if (value >= 1000) return `${(value / 1000).toFixed(value >= 10000 ? 1 : 2)} s`;
  return value >= 100 ? `${Math.round(value)} ms` : `${Number(value.toPrecision(2))} ms`;
}
export function age(seconds) {
  if (seconds == null) return kNone;
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor(s / 60) % 60).padStart(2, '0')} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

// ---- Blocks -------------------------------------------------------------------------------------

let ids = 0;
export const newId = (stem) => `${stem}-${(ids += 1)}`;

/** A titled block: {root, body}. */
export function card(title, { note = '', wide = false } = {}) {
  const id = newId('card');
  const body = h('div', { class: 'body' });
  const root = h('section', { class: wide ? 'card wide' : 'card', 'aria-labelledby': id },
    h('header', {}, h('h2', { id }, title), note ? h('p', { class: 'note' }, note) : null), body);
  return { root, body };
}

/** A table whose rows are told anew by set(rows); a cell is a text, a node, or {text, class}. */
export function table(caption, columns, { empty = 'Nothing yet.' } = {}) {
  const body = h('tbody');
  const heads = columns.map((column) =>
    h('th', {
      scope: 'col', class: column.number ? 'number' : null, 'data-name': column.name,
    }, column.name));
  const grid = h('table', {}, h('caption', { class: 'unseen' }, caption),
    h('thead', {}, h('tr', {}, heads)), body);
  const root = h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Table: ${caption}` }, grid);
  const nothing = h('p', { class: 'empty' }, empty);
  const outer = h('div', {}, root, nothing);
  function cell(value, column) {
    const plain = value !== null && typeof value === 'object' && !(value instanceof Node);
    const content = plain ? value.text : value;
    const classes = [column.number ? 'number' : '', plain ? value.class ?? '' : ''].join(' ').trim();
    return h(column.head ? 'th' : 'td', {
      class: classes || null, scope: column.head ? 'row' : null, 'data-name': column.name,
    }, content ?? '–');
  }
  return {
    root: outer,
    set(rows) {
      root.hidden = rows.length === 0;
      nothing.hidden = rows.length > 0;
      fill(body, rows.map((row) => h('tr', {}, row.map((value, i) => cell(value, columns[i])))));
    },
  };
}

/** A bar of `share` (0..1), with an optional tick where `mark` is. */
export function bar(share, { mark = null, label = '', tone = '' } = {}) {
  const width = Math.max(0, Math.min(1, share || 0)) * 100;
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const part = (name, attributes) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    svg.append(element);
  };
  svg.setAttribute('class', `bar-graph ${tone}`);
  svg.setAttribute('viewBox', '0 0 100 8');
  svg.setAttribute('preserveAspectRatio', 'none');
  if (label) {
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', label);
  } else {
    svg.setAttribute('aria-hidden', 'true');
  }
  part('rect', { class: 'ground', x: 0, y: 0, width: 100, height: 8 });
  part('rect', { class: 'share', x: 0, y: 0, width, height: 8 });
  if (mark !== null) {
    const at = Math.max(0, Math.min(1, mark)) * 100;
    part('line', { class: 'tick', x1: at, x2: at, y1: 0, y2: 8 });
  }
  return svg;
}

/** Radio buttons in a row; `choices` is [[value, label]...]. */
export function choice(legend, choices, chosen, onchange) {
  const name = newId('choice');
  return h('fieldset', { class: 'choice' }, h('legend', { class: 'unseen' }, legend),
    choices.map(([value, label]) => h('label', {},
      h('input', {
        type: 'radio', name, value, checked: value === chosen, onchange: () => onchange(value),
      }), h('span', {}, label))));
}

export const statuses = {
  '0': ['well', 'good'], '-1': ['degraded', 'warn'], '-2': ['recovering', 'warn'],
  '-3': ['rate-limited', 'warn'], '-5': ['down', 'bad'], '-10': ['not asked', 'bad'],
};

export function badge(text, tone) {
  return h('span', { class: `badge ${tone}` }, text);
}
