// Tabs of one Chromium window, of which only one is in sight. Playwright keeps each of its pages visible; this speaks
// to Chromium directly.
//
// Always true: nothing is emulated; what a tab says of its visibility is the browser's own word.
//
// Read first: browser.js.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FLAGS } from './browser.js';

const { WebSocket } = createRequire(new URL('../../../sdk/', import.meta.url))('ws');
const START_MS = 20_000;

export class Window {
  #child;
  #socket;
  #folder;
  #asked = new Map();
  #last = 0;

  static async open() {
    const window = new Window();
    window.#folder = await mkdtemp(join(tmpdir(), 'lux-tabs-'));
    const flags = ['--headless', ...FLAGS, '--remote-debugging-port=0', `--user-data-dir=${window.#folder}`];
    window.#child = spawn(process.env.CHROMIUM ?? '/usr/bin/chromium', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      window.#socket = new WebSocket(await window.#address());
      await once(window.#socket, 'open');
    } catch (error) {
      await window.close();
      throw error;
    }
    window.#socket.on('message', (text) => {
      const { id, result, error } = JSON.parse(text);
      const asked = window.#asked.get(id);
      window.#asked.delete(id);
      if (error) asked?.reject(new Error(error.message));
      else asked?.resolve(result);
    });
    return window;
  }

  #address() {
    return new Promise((resolve, reject) => {
      let said = '';
      const late = setTimeout(() => reject(new Error(`no Chromium: ${said}`)), START_MS);
      this.#child.stderr.on('data', (text) => {
        said += text;
        const [, address] = /listening on (ws:\S+)/.exec(said) ?? [];
        if (!address) return;
        clearTimeout(late);
        resolve(address);
      });
    });
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#last;
    const answered = new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }));
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return answered;
  }

  /** A tab in front of the others. */
  async tab(url = 'about:blank') {
    const { targetId } = await this.send('Target.createTarget', { url });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const run = async (source, ...given) => {
      const expression = `(${source})(...${JSON.stringify(given)})`;
      const how = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = await this.send('Runtime.evaluate', how, sessionId);
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    };
    const act = (name) => () => this.send(`Target.${name}`, { targetId });
    return { run, show: act('activateTarget'), close: act('closeTarget') };
  }

  async close() {
    this.#socket?.close();
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
