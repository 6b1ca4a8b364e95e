// The real broker, started for a test, and a wire to it that can be cut.
//
// Always true: loopback only; every broker has a state directory of its own and ends with its test.
//
// Read first: nothing.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const target = (profile) => fileURLToPath(new URL(`../../../target/${profile}/lux`, import.meta.url));

/** The broker's binary: `LUX_BIN`, else what cargo built here. */
export const binary = process.env.LUX_BIN ?? ['release', 'debug'].map(target).find((path) => existsSync(path));

/** Why tests against the broker cannot run, or false. With `LUX_BIN` they always run. */
export const missing = binary ? false : 'no broker: run `cargo build`, or set LUX_BIN';

export const API_KEY = 'test_0123456789abcdef';

const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LUX_')));

/** Rejects when something that has to happen does not. */
export function within(promise, what, ms = 20_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A broker with two cores, so that keys and viewers often live on different ones. */
export class Broker {
  #child;

  /** `flags` stand after `lux serve`, at each of its starts. */
  static async start(t, flags = []) {
    const broker = new Broker();
    broker.flags = flags;
    broker.folder = await mkdtemp(join(tmpdir(), 'lux-sdk-'));
    broker.keysFile = join(broker.folder, 'keys.toml');
    t.after(async () => {
      await broker.stop('SIGKILL');
      await rm(broker.folder, { recursive: true, force: true });
    });
    await broker.run();
    return broker;
  }

  /** Starts the process; on the port it had, if it had one. With another `life`, on a state directory of its own. */
  async run(life = 'first') {
    const port = this.url ? new URL(this.url).port : 0;
    const state = ['--state-dir', join(this.folder, life), '--keys', this.keysFile];
    this.#child = spawn(binary, ['serve', '--listen', `127.0.0.1:${port}`, '--cores', '2', ...state, ...this.flags], {
      env: { ...environment, LUX_API_KEY: API_KEY },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const said = [];
    const listening = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('exit', () => reject(new Error(`the broker ended:\n${said.join('\n')}`)));
      createInterface({ input: this.#child.stderr }).on('line', (line) => {
        said.push(line);
        const [, url] = /listening on (https?:\/\/\S+)/.exec(line) ?? [];
        if (url) resolve(url);
      });
    });
    this.url = await within(listening, 'the broker listens');
  }

  /** Ends the process without warning, and waits until the kernel has cleaned up after its rings. */
  async kill() {
    await this.stop('SIGKILL');
    const free = async () => {
      const server = net.createServer().listen(Number(new URL(this.url).port), '127.0.0.1');
      const [outcome] = await Promise.race([once(server, 'listening').then(() => [true]), once(server, 'error')]);
      server.close();
      return outcome === true;
    };
    const freed = async () => { while (!(await free())); };
    await within(freed(), 'the port is free');
  }

  async stop(signal = 'SIGTERM') {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await within(ended, 'the broker ends');
  }

  get endpoint() { return `${this.url}/api/lux`; }

  /** A plain request, as `curl` would send it. */
  request(method, key, data, apiKey = API_KEY) {
    const body = data === undefined ? undefined : JSON.stringify({ data });
    return fetch(`${this.endpoint}/${key}`, { method, body, headers: { Authorization: `Bearer ${apiKey}` } });
  }

  async put(key, data) {
    const answer = await this.request('PUT', key, data);
    if (!answer.ok) throw new Error(`PUT ${key}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** A key with a grant, as an operator would make it. */
  async addKey(name, ...grant) {
    const { stdout } = await run(binary, ['key', 'add', name, ...grant, '--keys', this.keysFile], { env: environment });
    this.#child.kill('SIGHUP');
    return stdout.trim();
  }

  async revokeKey(name) {
    await run(binary, ['key', 'revoke', name, '--keys', this.keysFile], { env: environment });
    this.#child.kill('SIGHUP');
  }
}

/** A wire between a session and a broker. */
export class Wire {
  #pairs = new Set();
  #server;
  frozen = false;

  static async to(t, { url }) {
    const wire = new Wire();
    const { hostname, port } = new URL(url);
    wire.#server = net.createServer((near) => {
      const far = net.connect(Number(port), hostname);
      const pair = [near, far];
      wire.#pairs.add(pair);
      for (const [from, to] of [[near, far], [far, near]]) {
        from.on('data', (bytes) => wire.frozen || to.write(bytes));
        from.on('error', () => {});
        from.on('close', () => {
          to.destroy();
          wire.#pairs.delete(pair);
        });
      }
    });
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    wire.endpoint = `http://127.0.0.1:${wire.#server.address().port}/api/lux`;
    t.after(() => {
      wire.#server.close();
      wire.cut();
    });
    return wire;
  }

  /** Breaks every connection; new ones go through. */
  cut() {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Carries nothing any more, without anybody being told: what a lost network looks like. */
  freeze() { this.frozen = true; }
  thaw() { this.frozen = false; }
}
