#!/usr/bin/env node
// What TLS costs: the same viewers and states over plain WebSockets and over TLS, in turns.
// usage: loadtest/tls.mjs [--viewers 1000] [--rate 10] [--seconds 10] [--rounds 3]     (LUX_BIN names another program)
//
// A broker with one core has processor 0 to itself, the viewers here are on processor 1. Each turn has a fresh broker.
//
// Always true: the broker's processor time and memory are the kernel's count for its process; a delivery counts when a
// viewer has read the whole frame; every handshake is a full one, none is resumed.
// Read first: README.md.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { parseArgs } from 'node:util';
import { API_KEY, luxProgram, startLux, stopLux, until } from '../tests/browser/help/broker.js';

const { values } = parseArgs({
  options: Object.fromEntries(['viewers', 'rate', 'seconds', 'rounds'].map((name) => [name, { type: 'string' }])),
});
const { viewers, rate, seconds, rounds } = Object.fromEntries(
  Object.entries({ viewers: 1000, rate: 10, seconds: 10, rounds: 3, ...values }).map(([name, value]) => [name, Number(value)]),
);
const OPENING_AT_ONCE = 16;
const WARM_UP = 5;
const STATE_BYTES = 200;
const KEY = 'measured';

/** Processor time of all threads of a process, in nanoseconds. */
function spent(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, tid) => sum + Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]), 0);
}

/** Resident memory of a process, in bytes. */
const resident = (pid) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;

/** Calls back for each whole WebSocket frame in what a server sends; short and 16-bit lengths, which is all there are here. */
function frames(seen) {
  let kept = Buffer.alloc(0);
  return (bytes) => {
    kept = kept.length > 0 ? Buffer.concat([kept, bytes]) : bytes;
    for (;;) {
      if (kept.length < 4) return;
      const end = kept[1] < 126 ? 2 + kept[1] : 4 + kept.readUInt16BE(2);
      if (kept.length < end) return;
      seen(kept.subarray(0, end));
      kept = kept.subarray(end);
    }
  };
}

/** Opens one viewer, and waits until it holds the snapshot. */
async function open({ address, ca }, seen) {
  const { hostname: host, host: name, port } = new URL(address);
  const socket = ca ? tls.connect({ host, port, ca }) : net.connect({ host, port });
  await once(socket, ca ? 'secureConnect' : 'connect');
  const head = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=='];
  socket.write([`GET /api/lux/stream/${KEY} HTTP/1.1`, `Host: ${name}`, `Authorization: Bearer ${API_KEY}`, ...head, '', ''].join('\r\n'));
  await new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the broker closed a viewer')));
    const take = frames((frame) => (frame.includes('"synced"') ? resolve() : seen(frame)));
    let answer = Buffer.alloc(0);
    const first = (bytes) => {
      answer = Buffer.concat([answer, bytes]);
      const end = answer.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!answer.includes('HTTP/1.1 101')) reject(new Error(String(answer)));
      socket.off('data', first).on('data', take);
      take(answer.subarray(end + 4));
    };
    socket.on('data', first);
  });
  return socket;
}

/** One turn: its figures, for one delivery, one opening, one viewer. */
async function turn(secure) {
  const stateDir = await mkdtemp(join(tmpdir(), 'lux-tls-cost-'));
  const flags = ['--listen', '127.0.0.1:0', '--cores', '1', '--memory-only', '--state-dir', stateDir];
  const command = ['taskset', '-c', '0', luxProgram()];
  const { child, address } = await startLux(['serve', ...flags, ...(secure ? ['--tls-self-signed'] : [])], {}, command);
  const ca = secure ? readFileSync(join(stateDir, 'self-signed.pem')) : undefined;
  const agent = new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 1, ca });
  let [number, seen, current] = [0, 0, 0];
  const take = (frame) => {
    seen += 1;
    if (frame.includes(`"n":${number},`)) current += 1;
  };
  const put = () => new Promise((resolve, reject) => {
    current = 0;
    const body = JSON.stringify({ data: { n: (number += 1), filler: '' } });
    const request = (secure ? https : http).request(`${address}/api/lux/${KEY}`, { method: 'PUT', agent, headers: { Authorization: `Bearer ${API_KEY}` } });
    request.on('error', reject).on('response', (answer) => answer.resume().on('end', resolve));
    request.end(body.replace('""', `"${'x'.repeat(STATE_BYTES + '{"data":}'.length - body.length)}"`));
  });
  const sockets = [];
  try {
    await put();
    sockets.push(await open({ address, ca }, take));
    const before = { cpu: spent(child.pid), memory: resident(child.pid) };
    const opening = async () => {
      while (sockets.length < viewers) {
        const at = sockets.push(null) - 1;
        sockets[at] = await open({ address, ca }, take);
      }
    };
    await Promise.all(Array.from({ length: OPENING_AT_ONCE }, opening));
    const opened = { cpu: spent(child.pid), memory: resident(child.pid) };

    const updates = async (count) => {
      const from = Date.now();
      for (let n = 0; n < count; n += 1) {
        await new Promise((resolve) => setTimeout(resolve, from + (n * 1000) / rate - Date.now()));
        await put();
      }
      await until(() => current === viewers);
    };
    await updates(WARM_UP);
    const started = { cpu: spent(child.pid), seen };
    await updates(rate * seconds);
    const delivered = seen - started.seen;
    return {
      'processor time of a delivery, µs': (spent(child.pid) - started.cpu) / delivered / 1e3,
      'states skipped for newer ones, %': 100 * (1 - delivered / (rate * seconds * viewers)),
      'processor time of an opening, µs': (opened.cpu - before.cpu) / (viewers - 1) / 1e3,
      'resident memory of a viewer after its opening, bytes': (opened.memory - before.memory) / (viewers - 1),
      'resident memory of a viewer after the updates, bytes': (resident(child.pid) - before.memory) / (viewers - 1),
      spoken: secure ? `${sockets[0].getProtocol()}, ${sockets[0].getCipher().standardName}` : 'plain',
    };
  } finally {
    for (const socket of sockets) socket?.removeAllListeners('close').destroy();
    agent.destroy();
    await stopLux(child);
    await rm(stateDir, { recursive: true, force: true });
  }
}

/** Median, and between what. */
function spread(figures) {
  const sorted = figures.toSorted((a, b) => a - b);
  const [median, least, most] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)];
  const digits = median < 100 ? 2 : 0;
  return `${median.toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`;
}

execFileSync('taskset', ['-acp', '1', String(process.pid)]);
const told = { plain: [], tls: [] };
for (let round = 0; round < rounds; round += 1) {
  for (const kind of ['plain', 'tls']) {
    told[kind].push(await turn(kind === 'tls'));
    console.error(`round ${round + 1}, ${kind}: ${JSON.stringify(told[kind].at(-1))}`);
  }
}
console.log(`| ${viewers} viewers, ${rate} updates a second of ${STATE_BYTES} bytes for ${seconds} s; ${told.tls[0].spoken} | plain | TLS |\n|---|---|---|`);
for (const name of Object.keys(told.plain[0]).filter((each) => each !== 'spoken')) {
  const [plain, secure] = [told.plain, told.tls].map((turns) => spread(turns.map((figures) => figures[name])));
  console.log(`| ${name} | ${plain} | ${secure} |`);
}
