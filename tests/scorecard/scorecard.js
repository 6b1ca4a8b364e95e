// The scorecard: every use case against one broker, with the watch on what leaves it, and what is written of it.
//
// Always true: the broker that it starts, and everything else, is ended again. With BROKER, only the use cases' own keys are touched,
// and they are deleted before each case.
// Read first: cases.js, prove.js, boundary.js.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { launch, serveFolder } from '../browser/help/browser.js';
import { luxProgram, startLux, stopLux, API_KEY } from '../browser/help/broker.js';
import { Boundary } from './boundary.js';
import { CASES } from './cases.js';
import { EXAMPLES, PATIENCE, prove } from './prove.js';
import { write } from './report.js';

const TRIES = 20;

/** Runs it. `only` names cases, `broker` and `apiKey` another broker, `into` the folder; `say` hears of progress. */
export async function scorecard({ only = [], broker, apiKey = API_KEY, into, say = () => {}, tries = TRIES, patience = PATIENCE }) {
  const when = new Date().toISOString();
  const folder = join(into, when.replace(/\.\d+/, '').replaceAll(':', ''));
  await mkdir(folder, { recursive: true });
  const wanted = CASES.filter((one) => only.length === 0 || only.includes(one.folder));
  if (wanted.length === 0) throw Object.assign(new Error(`no such use case; there are ${CASES.map((one) => one.folder).join(', ')}`), { code: 2 });
  const house = await House.open(broker, apiKey);
  const results = [];
  try {
    for (const one of wanted) {
      const result = one.needs === 'postgresql' && !hasPostgres()
        ? { ...one, ok: false, checks: [{ name: 'PostgreSQL is there', ok: false, seen: 'apt-get install postgresql' }] }
        : await prove(one, { ...house, folder, tries, patience });
      results.push(result);
      say(line(result));
    }
    const boundary = await house.boundaryVerdict();
    say(`${boundary.ok === null ? '' : boundary.ok ? 'PASS  ' : 'FAIL  '}Data boundary: ${boundary.words}`);
    const path = await write(folder, { when, results, boundary, machine: machine(house) });
    return { ok: results.every((one) => one.ok) && boundary.ok !== false, results, boundary, path, folder };
  } finally {
    await house.close();
  }
}

/** All that stands while the cases are proven: broker, browser, the server of the pages. */
class House {
  static async open(broker, apiKey) {
    const house = new House();
    house.apiKey = apiKey;
    try {
      if (broker) house.broker = broker.replace(/\/+$/, '');
      else await house.#startBroker();
      [house.browser, house.server] = await Promise.all([launch(), serveFolder(EXAMPLES)]);
      house.pages = house.server.address;
      return house;
    } catch (error) {
      await house.close();
      throw error;
    }
  }

  async #startBroker() {
    this.stateDir = await mkdtemp(join(tmpdir(), 'lux-scorecard-'));
    const { boundary, why } = await Boundary.make();
    Object.assign(this, { boundary, why });
    const args = ['serve', '--state-dir', this.stateDir, '--listen', boundary ? `${boundary.broker}:0` : '127.0.0.1:0'];
    const env = { LUX_API_KEY: this.apiKey };
    const { child, address } = await startLux(args, env, boundary?.entering(luxProgram()));
    Object.assign(this, { child, broker: address });
  }

  async boundaryVerdict() {
    if (!this.boundary) {
      const why = this.why ?? 'the broker is not one that the scorecard has started';
      // Where nothing may be skipped, what could not be shown has failed.
      return { ok: this.why && process.env.LUX_SKIP_NOTHING ? false : null, words: `Not shown: ${why}.` };
    }
    const { ok, answers, outward } = await this.boundary.verdict();
    const caught = ok ? await this.boundary.tryOut() : [];
    const found = ok
      ? `The broker ran in a network namespace of its own, with one wire to the test and a default route through it. Every packet that was sent in there was looked at: ${answers} of them, all answers to the test's own connections; no connection was begun from inside, no datagram sent, no name asked for.`
      : `From the broker's network namespace something went outward: ${outward.join('; ')}.`;
    if (ok && caught.length === 0) return { ok: false, answers, outward, caught, words: 'The watch saw nothing of a process that did go outward, so it proves nothing.' };
    const proof = ok ? ` Then \`curl\` tried to get out from inside the same namespace, and was seen: ${caught.join('; ')}.` : '';
    return { ok, answers, outward, caught, words: found + proof };
  }

  async close() {
    await this.browser?.close();
    this.server?.close();
    if (this.child) await stopLux(this.child);
    await this.boundary?.close();
    if (this.stateDir) await rm(this.stateDir, { recursive: true, force: true });
  }
}

function line({ title, ok, checks, times }) {
  const failed = checks.filter((one) => !one.ok).map(({ name, seen }) => `\n      ${name}: ${seen}`);
  const figures = times?.delivered.median ? `acknowledged ${times.acknowledged.median} ms, delivered ${times.delivered.median} ms (worst ${times.delivered.worst}, first ${times.delivered.first})` : '';
  return `${ok ? 'PASS' : 'FAIL'}  ${title}  ${figures}${failed.join('')}`;
}

function machine({ broker, boundary, child }) {
  const program = luxProgram();
  return {
    lux: execFileSync(program, ['--version'], { encoding: 'utf8' }).trim().replace(/^lux /, ''),
    build: child ? `${basename(dirname(program))} build` : 'another broker',
    place: boundary ? `${broker}, in a network namespace of its own` : broker,
    processor: cpus()[0].model.trim(), processors: cpus().length, kernel: release(),
    load: loadavg()[0].toFixed(1),
  };
}

function hasPostgres() {
  const versions = '/usr/lib/postgresql';
  return existsSync(versions) && readdirSync(versions).some((version) => existsSync(`${versions}/${version}/bin/initdb`));
}
