// A real broker on a loopback port, and what a shell would do to it.
//
// Always true: every broker has its own state directory; it is stopped, waited for and swept up, also when the
// test fails. Nothing here waits for a time, only for an event with a deadline.
// Read first: nothing.

import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const READY_MS = 20_000;
const STOP_MS = 15_000;

/** A key with every right, for tests only. */
export const API_KEY = 'browser-tests-0123456789';

/** The `lux` program: `LUX_BIN`, or what cargo built last for release or debug. */
export function luxProgram() {
  const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../../target', import.meta.url));
  const built = ['release', 'debug'].map((profile) => join(target, profile, 'lux'));
  const found = [process.env.LUX_BIN, ...built].find((path) => path && existsSync(path));
  if (!found) throw new Error('no lux program: run `cargo build`, or set LUX_BIN');
  return found;
}

/**
 * Starts `lux <args>` and waits until it says where it listens. Answers the process and its address. `command` is the program, with
 * what has to stand before it, if anything.
 */
export async function startLux(args, env = {}, command = [luxProgram()]) {
  const [program, ...before] = command;
  const child = spawn(program, [...before, ...args], {
    env: { ...process.env, LUX_API_KEY: API_KEY, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8');
  const address = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no address within ${READY_MS} ms: ${said}`)), READY_MS);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`lux ended with ${code}: ${said}`)));
    child.stderr.on('data', (text) => {
      said += text;
      const found = /listening on (https?:\/\/[^\s\u001b]+)/.exec(said);
      if (!found) return;
      clearTimeout(late);
      resolve(found[1]);
    });
  }).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
  return { child, address };
}

/** Asks a process to end, and waits until it has. */
export async function stopLux(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  child.kill('SIGTERM');
  await ended;
  clearTimeout(late);
}

/** A broker that can be stopped and started again on the same port. */
export class Broker {
  /** `flags` stand after `lux serve`, at each of its starts. */
  static async start(flags = []) {
    const broker = new Broker();
    broker.flags = flags;
    broker.stateDir = await mkdtemp(join(tmpdir(), 'lux-browser-'));
    await broker.up('127.0.0.1:0');
    return broker;
  }

  async up(listen = new URL(this.address).host) {
    const args = ['serve', '--listen', listen, '--state-dir', this.stateDir, ...this.flags];
    const { child, address } = await startLux(args);
    this.child = child;
    this.address = address;
  }

  down() {
    return stopLux(this.child);
  }

  async close() {
    await this.down();
    await rm(this.stateDir, { recursive: true, force: true });
  }

  /** Makes a key with `lux key add` that reads only this, and has the broker read its keys again. */
  async addReader(name, pattern) {
    const args = ['key', 'add', name, '--read', pattern, '--state-dir', this.stateDir];
    const { stdout } = await run(luxProgram(), args);
    this.child.kill('SIGHUP');
    const key = stdout.trim();
    await until(async () => (await this.curl('GET', `?prefix=${pattern.slice(0, -1)}`, { key })).status === 200);
    return key;
  }

  async revoke(name) {
    await run(luxProgram(), ['key', 'revoke', name, '--state-dir', this.stateDir]);
    this.child.kill('SIGHUP');
  }

  async put(key, state) {
    const answer = await this.curl('PUT', `/${key}`, { body: JSON.stringify({ data: state }) });
    if (answer.status !== 200 && answer.status !== 201) throw new Error(`PUT ${key}: ${answer.status} ${answer.text}`);
  }

  delete(key) {
    return this.curl('DELETE', `/${key}`);
  }

  /** A file of the state directory. */
  file(name) {
    return join(this.stateDir, name);
  }

  /** A request by the real curl: what somebody at a terminal does. A certificate that signs itself is believed by its file. */
  async curl(method, path, { key = API_KEY, body } = {}) {
    const args = ['-sS', '--max-time', '30', '-X', method, `${this.address}/api/lux${path}`, '-H', `Authorization: Bearer ${key}`];
    if (this.address.startsWith('https:')) args.push('--cacert', this.file('self-signed.pem'));
    if (body !== undefined) args.push('-d', body);
    const { stdout } = await run('curl', [...args, '-w', '\n%{http_code}']);
    const end = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) };
  }
}

/** Asks again and again until the answer is yes; fails after the deadline. */
export async function until(asked, deadlineMs = 10_000) {
  const end = Date.now() + deadlineMs;
  while (!(await asked())) {
    if (Date.now() > end) throw new Error(`not so within ${deadlineMs} ms: ${asked}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
