// Each panel of the dashboard, asked of a real Prometheus that watches a busy broker.
//
// Always true: a panel without a value fails the run. Nothing outlives it: broker and Prometheus are stopped, and
// their folder is swept up, also when it fails.
// Read first: lux.json; tests/browser/help/broker.js.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { API_KEY, startLux, stopLux, until } from '../tests/browser/help/broker.js';

const KEYS = 20;
const VIEWERS = 40;
const RATE_WINDOW = '10s';
const PATIENCE_MS = 60_000;

const headers = { authorization: `Bearer ${API_KEY}` };
const folder = await mkdtemp(join(tmpdir(), 'lux-grafana-'));
const lux = await startLux(['serve', '--listen', '127.0.0.1:0', '--cores', '2', '--state-dir', folder]);
const prometheus = await startPrometheus();
const stopLoad = load();
try {
  execFileSync('promtool', ['check', 'metrics'], { input: await get(`${lux.address}/metrics`) });
  console.log('promtool: /metrics is as it should be');
  const { panels } = JSON.parse(await readFile(new URL('lux.json', import.meta.url), 'utf8'));
  const targets = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
  let empty = targets;
  await until(async () => {
    empty = await withoutValue(targets);
    return empty.length === 0;
  }, PATIENCE_MS).catch(() => {
    throw new Error(`no value: ${empty.map(({ title, expr }) => `${title}: ${expr}`).join('\n')}`);
  });
  for (const { title, expr } of targets) console.log(`${title.padEnd(24)} ${shown(await value(expr))}`);
  console.log(`${targets.length} expressions in ${panels.length} panels, each with a value`);
} finally {
  stopLoad();
  await Promise.allSettled([stopLux(lux.child), stopLux(prometheus.child)]);
  await rm(folder, { recursive: true, force: true });
}

async function startPrometheus() {
  const { host } = new URL(lux.address);
  const job = { job_name: 'lux', static_configs: [{ targets: [host] }], authorization: { credentials: API_KEY } };
  // JSON is YAML.
  const config = { global: { scrape_interval: '1s' }, scrape_configs: [job] };
  const file = join(folder, 'prometheus.yml');
  await writeFile(file, JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn('prometheus', [
    `--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'tsdb')}`, `--web.listen-address=${address}`,
    '--log.level=error', '--web.console.templates=', '--web.console.libraries=',
  ], { stdio: ['ignore', 'ignore', 'inherit'] });
  return { child, address: `http://${address}` };
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Producers, viewers that read, one that does not, and writes that are refused. */
function load() {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const filler = 'x'.repeat(2_000);
  let n = 0;
  const write = (method, key, options = {}) => {
    const body = method === 'PUT' ? JSON.stringify({ data: { n, filler } }) : undefined;
    const sent = request(`${lux.address}/api/lux/${key}`, { method, agent, headers: { ...headers, ...options } }, (answer) => answer.resume());
    sent.on('error', () => {});
    sent.end(body);
  };
  const streams = Array.from({ length: VIEWERS }, (_, at) => request(`${lux.address}/api/lux/stream/board-*`, { headers }, (answer) => {
    if (at > 0) answer.resume();
  }));
  for (const stream of streams) stream.on('error', () => {}).end();
  const timer = setInterval(() => {
    n += 1;
    for (let key = 0; key < KEYS; key += 1) write('PUT', `board-${key}`);
    write('DELETE', `passing-${n % 2}`);
    write('PUT', `passing-${n % 2}`);
    write('PUT', 'board-0', { 'if-match': '"other.1"' });
  }, 50);
  return () => {
    clearInterval(timer);
    for (const stream of streams) stream.destroy();
    agent.destroy();
  };
}

async function get(address) {
  const answer = await fetch(address, { headers });
  if (!answer.ok) throw new Error(`${address}: ${answer.status} ${await answer.text()}`);
  return answer.text();
}

/** What Prometheus makes of an expression now; the dashboard's variables stand for everything. */
async function value(expr) {
  const query = expr.replaceAll('$__rate_interval', RATE_WINDOW).replaceAll(/\$(job|instance)/g, '.*');
  const text = await get(`${prometheus.address}/api/v1/query?query=${encodeURIComponent(query)}`);
  return JSON.parse(text).data.result;
}

async function withoutValue(targets) {
  try {
    const values = await Promise.all(targets.map(({ expr }) => value(expr)));
    return targets.filter((_, at) => !values[at].some(({ value: [, number] }) => Number.isFinite(Number(number))));
  } catch (error) {
    // It may not listen yet.
    return targets.map((target) => ({ ...target, title: `${target.title} (${error.message})` }));
  }
}

function shown(result) {
  const parts = result.map(({ metric, value: [, number] }) => {
    const labels = ['core', 'outcome', 'version'].map((name) => metric[name]).filter((text) => text !== undefined);
    return `${labels.join(' ')}${labels.length ? ': ' : ''}${Number(Number(number).toPrecision(4))}`;
  });
  return parts.join(', ');
}
