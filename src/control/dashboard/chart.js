// SPDX-License-Identifier: Apache-2.0
// Charts over time by uPlot, in the colours of the page, each with the table that says the same.
import { h, newId, table } from './parts.js';

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axis(values) {
  return {
    stroke: () => colour('--soft'), grid: { stroke: () => colour('--line'), width: 1 },
    ticks: { show: false }, font: '12px system-ui, sans-serif', values, size: 58,
  };
}

/**
 * `series`: [{name, tone}], where tone is a colour variable of the page; `text` writes a value.
 * set([times in seconds, values...]) draws; `stepped` is for days.
 */
export function chart(caption, series, text, { stepped = false, times } = {}) {
  const id = newId('chart');
  const place = h('div', { class: 'plot', 'aria-hidden': 'true' });
  const clock = times ?? ((at) => new Date(at * 1000).toLocaleTimeString('en-GB'));
  const rows = table(caption, [{ name: 'Time', head: true },
    ...series.map((one) => ({ name: one.name, number: true }))]);
  const details = h('details', {}, h('summary', {}, 'As a table'), rows.root);
  const legend = h('p', { class: 'legend' }, series.map((one) =>
    h('span', { class: `key ${one.tone}` }, one.name)));
  const root = h('figure', { 'aria-labelledby': id },
    h('figcaption', { id, class: 'unseen' }, caption), legend, place, details);
  let plot = null;
  let data = null;

  function options() {
    const paths = stepped ? uPlot.paths.bars({ size: [0.7, 48] }) : undefined;
    return {
      width: Math.max(place.clientWidth, 120), height: place.clientHeight,
      padding: [10, 8, 0, 0],
      legend: { show: false }, cursor: { y: false, points: { size: 6 } },
      scales: { x: { time: !times, ...(stepped ? { range: (_, low, high) => [low - 0.5, high + 0.5] } : {}) }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] } },
      axes: [
        { ...axis((_, at) => at.map((one) => (times ? times(one) : clock(one)))), size: 28, space: times ? 56 : 90, ...(times ? { incrs: [1, 2, 5, 7, 10] } : {}) },
        axis((_, values) => values.map(text)),
      ],
      series: [{}, ...series.map((one, i) => ({
        label: one.name, width: 2, points: { show: false }, paths,
        stroke: () => colour(`--${one.tone}`),
        fill: stepped ? () => colour(`--${one.tone}`)
          : i === 0 ? () => colour(`--${one.tone}-fill`) : undefined,
      }))],
    };
  }
  function draw() {
    if (data === null || place.clientWidth === 0) return;
    if (plot === null) plot = new uPlot(options(), data, place);
    else plot.setData(data);
    if (details.open) {
      const from = Math.max(0, data[0].length - 60);
      rows.set(data[0].slice(from).map((at, i) => [clock(at),
        ...series.map((_, k) => text(data[k + 1][from + i] ?? null))]).reverse());
    }
  }
  details.addEventListener('toggle', draw);
  new ResizeObserver(() => {
    if (plot !== null) plot.setSize({ width: Math.max(place.clientWidth, 120), height: place.clientHeight });
    else draw();
  }).observe(place);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot?.redraw());
  return { root, set(next) { data = next; draw(); } };
}
