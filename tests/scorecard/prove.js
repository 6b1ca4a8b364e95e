// One use case, proven: by a shell, in a browser, by its producer, and in milliseconds.
//
// Always true: every check says what was seen, and a check that could not be made is not counted as passed. Producers are the
// real ones from examples/; nothing here plays the broker or the page.
// Read first: cases.js.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { assertNeverReloaded, markPage, profile } from '../browser/help/browser.js';
import { luxProgram } from '../browser/help/broker.js';
import { measure } from './measure.js';

const run = promisify(execFile);
export const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));
/** What was not seen by then counts as lost; what a producer has to do may take longer. */
export const PATIENCE = { seenMs: 5_000, producerMs: 30_000 };
/** What a page does by itself is no question of what was lost. */
const PAGE_MS = 15_000;
const WEBP_QUALITY = 84;

/** Proves one case; answers its checks, its times and its picture. */
export async function prove(one, { broker, apiKey, browser, pages, folder, tries, patience }) {
  const checks = [];
  const check = async (name, act) => {
    try {
      checks.push({ name, ok: true, seen: await act() });
    } catch (error) {
      checks.push({ name, ok: false, seen: String(error.message ?? error).split('\n')[0] });
    }
    return checks.at(-1).ok;
  };
  const shell = new Shell(broker, apiKey, one.folder, patience);
  for (const key of await shell.keys(one)) await shell.curl('DELETE', `/${key}`);
  const screen = await profile(browser, { colorScheme: 'dark', viewport: { width: 1280, height: 720 } });
  screen.context.setDefaultTimeout(PAGE_MS);
  const page = await screen.context.newPage();
  const result = { ...one, checks, picture: null, times: null };
  try {
    await check('the page opens and is live', () => open(page, one, { broker, apiKey, pages }));
    const isMoving = await check('its producer moves the page', () => shell.produce(one, page));
    if (!one.sql) await shell.stop(one.companions?.length ?? 0);
    if (one.before && isMoving) await check('the page shows both sides of a conflict', () => one.before(page, shell).then(() => 'both sides are on the page'));
    await shell.watch(one.key);
    await markPage(page);
    await (one.sql ? proveBySql(one, shell, check) : proveByCurl(one, shell, check));
    await check('`lux watch` sees it', () => shell.sees(one.proof));
    await check('the open page shows it without a reload', () => shows(page, one.proof, patience));
    result.picture = await picture(page, screen.context, `${folder}/${one.folder}.webp`);
    await shell.stop(0);
    await check('every timed change arrives', async () => {
      const { data: state } = JSON.parse((await shell.curl('GET', `/${one.key}`)).text);
      result.times = await measure(page, { broker, apiKey, key: one.key, state, proof: one.proof, tries, lostMs: patience.seenMs });
      if (result.times.lost > 0) throw new Error(`${result.times.lost} of ${result.times.made} acknowledged changes never reached the page's WebSocket within ${patience.seenMs / 1000} s`);
      return `${result.times.made} of ${result.times.made}`;
    });
    if (screen.complaints.length > 0) checks.push({ name: 'the page has no errors', ok: false, seen: screen.complaints[0].split('\n')[0] });
  } finally {
    await shell.stop(0);
    shell.unwatch();
    await screen.context.close();
  }
  return { ...result, ok: checks.every(({ ok }) => ok) };
}

async function open(page, { folder, key, query = '' }, { broker, apiKey, pages }) {
  await page.goto(`${pages}/${folder}/?${query}&broker=${encodeURIComponent(broker)}#key=${apiKey}`);
  await page.locator('html[data-link="live"]').waitFor();
  return `${key}: live`;
}

async function proveByCurl({ key, proof, proven }, shell, check) {
  await check('curl writes it', async () => {
    const before = await shell.curl('GET', `/${key}`);
    const state = before.status === 200 ? JSON.parse(before.text).data : {};
    const { status, text } = await shell.curl('PUT', `/${key}`, { data: { ...proven(state), summary: proof } });
    if (status !== 200 && status !== 201) throw new Error(`PUT answered ${status}: ${text}`);
    return `PUT answered ${status}`;
  });
  await check('curl reads it', () => shell.reads(key, proof));
}

async function proveBySql({ key, proof, sql }, shell, check) {
  await check('psql commits it', () => shell.psql(sql));
  await check('curl reads it', () => shell.reads(key, proof));
}

async function shows(page, proof, { seenMs }) {
  await page.locator('#summary', { hasText: proof }).waitFor({ timeout: seenMs }).catch(async () => {
    throw new Error(`the page shows “${await page.locator('#summary').textContent()}” after ${seenMs / 1000} s`);
  });
  await assertNeverReloaded(page);
  return proof;
}

/** As WebP, which Playwright's own screenshots cannot be. */
async function picture(page, context, path) {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await page.evaluate(() => Promise.all(document.getAnimations().filter(({ effect }) => effect.getComputedTiming().iterations !== Infinity).map(({ finished }) => finished.catch(() => {}))));
  const session = await context.newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: WEBP_QUALITY });
  await writeFile(path, Buffer.from(data, 'base64'));
  return path;
}

/** What somebody at a terminal does, in the example's folder. */
class Shell {
  #children = [];
  #watch = null;
  #heard = '';
  #database = null;

  constructor(broker, apiKey, folder, patience) {
    Object.assign(this, { broker, apiKey, patience, cwd: EXAMPLES + folder });
    this.env = { ...process.env, LUX_BROKER: broker, LUX_API_KEY: apiKey, PYTHONUNBUFFERED: '1' };
    this.curl = this.curl.bind(this);
  }

  async curl(method, path, body) {
    const args = ['-sS', '--max-time', '10', '-X', method, `${this.broker}/api/lux${path}`, '-H', `Authorization: Bearer ${this.apiKey}`];
    if (body !== undefined) args.push('-d', JSON.stringify(body));
    const { stdout } = await run('curl', [...args, '-w', '\n%{http_code}']);
    const end = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) };
  }

  /** The keys that a case writes and that have a state. */
  async keys({ key, also = [], prefix }) {
    const listed = prefix ? JSON.parse((await this.curl('GET', `?prefix=${prefix}&data=0`)).text).records.map((record) => record.key) : [];
    return new Set([key, ...also, ...listed]);
  }

  async reads(key, proof) {
    let read = '';
    for (const end = Date.now() + this.patience.seenMs; Date.now() < end; await pause(20)) {
      const { status, text } = await this.curl('GET', `/${key}`);
      read = status === 200 ? JSON.parse(text).data?.summary : `${status}`;
      if (read === proof) return read;
    }
    throw new Error(`GET reads “${read}”`);
  }

  async psql(sql) {
    const { stderr } = await run('psql', ['-q', '-v', 'ON_ERROR_STOP=1', '-c', sql], { env: { ...process.env, ...this.#database } });
    return stderr || 'committed';
  }

  /** Starts a case's producers, and waits until they have made so many revisions and moved the page. */
  async produce({ key, producers, companions = [], changes }, page) {
    const main = page.locator('main');
    const before = await main.innerText();
    for (const [program, ...args] of [...companions, ...producers]) this.#start(program, args);
    let rev = 0;
    for (const end = Date.now() + this.patience.producerMs; ; await pause(50)) {
      const { status, text } = await this.curl('GET', `/${key}`);
      rev = status === 200 ? JSON.parse(text).rev : rev;
      const moved = rev >= changes && (await page.locator('#summary').textContent()) !== '' && (await main.innerText()) !== before;
      if (moved) break;
      if (Date.now() < end) continue;
      const said = this.#children.map((child) => child.said).join(' ').trim();
      throw new Error(rev >= changes ? `the broker has revision ${rev}, the page shows nothing of it` : `only revision ${rev} in ${this.patience.producerMs / 1000} s: ${said}`);
    }
    return `${rev} revisions by ${producers[0][0].replace('./', '')}`;
  }

  #start(program, args) {
    // A group of its own, so that what it starts ends with it.
    const child = spawn(program, args, { cwd: this.cwd, env: this.env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    child.said = '';
    child.on('error', (error) => { child.said += error.message; });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      child.said = (child.said + text).slice(-400);
      const found = /PGHOST=(\S+) PGUSER=(\S+) PGDATABASE=(\S+)/.exec(child.said);
      if (found) this.#database = { PGHOST: found[1], PGUSER: found[2], PGDATABASE: found[3] };
    });
    this.#children.push(child);
  }

  /** Ends the producers but for the first few, which are companions. */
  async stop(keep) {
    for (const child of this.#children.splice(keep)) {
      if (child.exitCode !== null || child.signalCode !== null || !child.pid) continue;
      const ended = once(child, 'exit');
      const late = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), 5_000);
      // Who has a child of its own to look after is told alone, and passes it on.
      process.kill(this.#database ? child.pid : -child.pid, 'SIGTERM');
      await ended;
      clearTimeout(late);
    }
  }

  /** Starts `lux watch`, and waits until it has shown what is there. */
  async watch(key) {
    const child = spawn(luxProgram(), ['watch', key, '--broker', this.broker], { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#watch = child;
    child.stderr.on('data', (text) => { this.#heard += text; });
    const first = once(child.stdout, 'data');
    createInterface({ input: child.stdout }).on('line', (line) => { this.#heard += `${line}\n`; });
    await Promise.race([first, once(child, 'exit'), pause(this.patience.seenMs)]);
    this.#heard = '';
  }

  async sees(proof) {
    for (const end = Date.now() + this.patience.seenMs; Date.now() < end; await pause(20)) if (this.#heard.includes(proof)) return proof;
    throw new Error(`it saw “${this.#heard.trim().slice(-120)}” in ${this.patience.seenMs / 1000} s`);
  }

  unwatch() {
    this.#watch?.kill('SIGTERM');
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
