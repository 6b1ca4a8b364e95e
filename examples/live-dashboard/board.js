// What the board shows: one huge number, its curve, and what is needed to trust it.
//
// Always true: a number that is missing is a dash, never a zero.
// Read first: curve.js.

import { Curve } from './curve.js';

const byId = (id) => document.getElementById(id);

const ERRORS_BAD_PERCENT = 2;
const P95_BAD_MS = 400;
const TREND_MS = 30_000;
const REGIONS_SHOWN = 5;

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const percent = (value) => `${value.toFixed(2)} %`;

const curves = {
  orders: new Curve(byId('orders-curve'), { wide: true }),
  revenue: new Curve(byId('revenue-curve')),
  errors: new Curve(byId('errors-curve')),
  p95: new Curve(byId('p95-curve')),
};
const bars = new Map();
let shownRev = null;

/** Shows a state as it came from the SDK. */
export function showState(state, meta) {
  const { orders_per_second: orders, revenue_today: revenue, error_rate_percent: errors, latency_p95_ms: p95 } = state ?? {};
  const rev = `${meta.epoch}.${meta.rev}`;
  // The same revision is told again when only the connection changed; that is no news.
  const isNews = rev !== shownRev;
  shownRev = rev;

  put('orders', orders, whole.format, isNews);
  put('revenue', revenue, money(state?.currency, 0), isNews);
  put('errors', errors, percent, isNews);
  put('p95', p95, whole.format, isNews);
  byId('errors-tile').classList.toggle('is-bad', errors > ERRORS_BAD_PERCENT);
  byId('p95-tile').classList.toggle('is-bad', p95 > P95_BAD_MS);
  document.title = Number.isFinite(orders) ? `${whole.format(orders)} orders/s` : 'Orders, live';
  byId('basket').textContent = state?.average_basket ? `${money(state.currency, 2)(state.average_basket)} each` : '';
  showTrend();
  showRegions(state?.top_regions ?? []);
}

/** Moves the curves on: their right edge is now. Called a few times a second. */
export function drawCurves() {
  for (const curve of Object.values(curves)) curve.draw();
}

function money(currency = 'EUR', digits = 0) {
  return new Intl.NumberFormat('en', { style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: digits }).format;
}

function put(name, value, format, isNews) {
  const known = Number.isFinite(value);
  const output = byId(name);
  const text = known ? format(value) : '–';
  if (isNews && known) curves[name].push(value);
  if (output.textContent === text) return;
  output.textContent = text;
  output.getAnimations().forEach((animation) => animation.cancel());
  output.animate({ color: ['var(--lamp)', 'var(--ink)'] }, { duration: 900, easing: 'ease-out' });
}

function showTrend() {
  const change = curves.orders.changeOver(TREND_MS);
  const steady = change === null || Math.abs(change) < 0.03;
  const arrow = change > 0 ? '↑' : '↓';
  byId('orders-trend').textContent = steady ? 'steady' : `${arrow} ${Math.round(Math.abs(change) * 100)} % in 30 s`;
}

function showRegions(regions) {
  const most = Math.max(1, ...regions.map(({ orders_per_second: orders }) => orders));
  const names = new Set(regions.map(({ name }) => name));
  for (const [name, bar] of bars) {
    if (names.has(name)) continue;
    bar.item.remove();
    bars.delete(name);
  }
  for (const { name, orders_per_second: orders } of regions.slice(0, REGIONS_SHOWN)) {
    const bar = bars.get(name) ?? newBar(name);
    bar.value.textContent = whole.format(orders);
    bar.fill.style.scale = `${orders / most} 1`;
  }
}

function newBar(name) {
  const item = document.createElement('li');
  const label = document.createElement('span');
  const value = document.createElement('b');
  const fill = document.createElement('i');
  label.textContent = name;
  item.append(label, fill, value);
  byId('regions').append(item);
  bars.set(name, { item, value, fill });
  return bars.get(name);
}
