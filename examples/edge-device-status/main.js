// Edge devices: one of them large, by the SDK; the whole fleet by its prefix, on one socket.
//
// Always true: a device that says nothing for longer than it promised counts as offline, whatever it said last.
// Read first: ../shared/page.js; agent.py for what a device writes.

import { ago, byId, each, given, h, openPage, put } from '../shared/page.js';

const SILENT_MS = 15_000;
const HOT_C = 60;
const key = given('state', 'device-edge-17');
const temperatures = [];
let fleet = new Map();

const page = await openPage({ title: 'Edge devices', start: 'agent.py --device edge-17', oldMs: SILENT_MS });
page.follow(key, showDevice);
page.followAll(['device-*'], (records) => { fleet = records; showFleet(); });
setInterval(showFleet, 1_000);

function showDevice(state) {
  put('name', state?.name ?? key.replace('device-', ''));
  put('site', state?.site);
  put('firmware', state?.firmware);
  put('temperature', Number.isFinite(state?.temperature_c) ? Math.round(state.temperature_c) : '–');
  byId('online').textContent = state?.online ? 'online' : 'offline';
  byId('online').className = `pill ${state?.online ? 'is-on' : 'is-bad'}`;
  document.querySelector('.device').classList.toggle('is-off', !state?.online);
  byId('dial').style.setProperty('--part', Math.min(100, Math.max(0, state?.temperature_c ?? 0)));
  if (Number.isFinite(state?.temperature_c)) temperatures.push(state.temperature_c);
  drawCurve(temperatures.slice(-120));
  const parts = [['Processor', state?.cpu_percent, '%'], ['Memory', state?.memory_percent, '%'], ['Battery', state?.battery_percent, '%']];
  const facts = parts.filter(([, value]) => Number.isFinite(value)).map(([name, value]) => ({ name, text: `${Math.round(value)} %`, part: value / 100 }));
  if (Number.isFinite(state?.signal_dbm)) facts.push({ name: 'Signal', text: `${state.signal_dbm} dBm`, part: (state.signal_dbm + 110) / 70 });
  byId('facts').replaceChildren(...facts.flatMap(({ name, text, part }) =>
    [h('dt', {}, name), h('dd.meter', { '--part': part }, h('i')), h('dd', {}, text)]));
}

function drawCurve(values) {
  const low = Math.min(...values) - 1;
  const range = Math.max(...values) + 1 - low;
  const points = values.map((value, at) => `${(300 * at) / Math.max(1, values.length - 1)} ${58 - (56 * (value - low)) / range}`);
  byId('curve').firstElementChild.setAttribute('d', points.length > 1 ? `M${points.join('L')}` : '');
}

function isOnline({ data, updatedAt }) {
  return data?.online === true && Date.now() - updatedAt < SILENT_MS;
}

function showFleet() {
  const devices = [...fleet.values()].filter(({ data }) => data).sort((one, other) => (one.key < other.key ? -1 : 1));
  const online = devices.filter(isOnline);
  const most = (name, best) => (online.length ? best(...online.map(({ data }) => data[name] ?? NaN).filter(Number.isFinite)) : NaN);
  const shown = (value, unit) => (Number.isFinite(value) ? `${Math.round(value)} ${unit}` : '–');
  put('fleet-online', `${online.length} of ${devices.length}`);
  put('fleet-warmest', shown(most('temperature_c', Math.max), '°C'));
  put('fleet-battery', shown(most('battery_percent', Math.min), '%'));
  each(byId('tiles'), devices, { key: (record) => record.key, make: makeTile, update: showTile });
}

function makeTile(record) {
  const tile = h('button.tile', { type: 'button' },
    h('span.row', {}, h('span.lamp'), h('b.grow.cut'), h('span.warmth')),
    h('span.meter', {}, h('i')), h('span.small.soft.cut'));
  tile.addEventListener('click', () => {
    const to = new URL(location.href);
    to.searchParams.set('state', record.key);
    location.assign(to);
  });
  return h('li', {}, tile);
}

function showTile(item, record) {
  const [tile] = item.children;
  const { data } = record;
  const [row, meter, words] = tile.children;
  tile.classList.toggle('is-off', !isOnline(record));
  tile.classList.toggle('is-shown', record.key === key);
  row.children[1].textContent = record.key.replace('device-', '');
  put(row.children[2], Number.isFinite(data.temperature_c) ? `${Math.round(data.temperature_c)}°` : '–');
  row.children[2].classList.toggle('bad', data.temperature_c > HOT_C);
  meter.style.setProperty('--part', (data.battery_percent ?? 100) / 100);
  meter.classList.toggle('is-bad', data.battery_percent < 20);
  words.textContent = isOnline(record) ? (data.site ?? '') : `silent since ${ago(record.updatedAt)}`;
}
