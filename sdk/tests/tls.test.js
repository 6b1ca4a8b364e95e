// The SDK over https and wss, with a certificate that Node was told to believe.
//
// Always true: the process that uses the SDK is a child, since Node reads NODE_EXTRA_CA_CERTS when it starts.
//
// Read first: help/broker.js.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { API_KEY, Broker, missing } from './help/broker.js';

const run = promisify(execFile);

// Writes over https what a viewer then sees over wss, and says at which address. Where it gets no connection, it says the status.
const CHILD = `
import { WebSocket as Socket } from 'ws';
import { lux } from './lux.js';
const [endpoint, apiKey] = process.argv.slice(1);
let address;
class Told extends Socket { constructor(url, ...rest) { super(url, ...rest); address = url; } }
const viewer = lux('dashboard-main', { endpoint, apiKey, WebSocket: Told });
const tell = (outcome) => { console.log(JSON.stringify({ ...outcome, address })); process.exit(); };
viewer.subscribe((state, { source }) => state?.orders_per_second === 42 && tell({ source }));
viewer.load().catch(() => {});
viewer.onStatus((name) => {
  if (name === 'offline') tell({ status: name });
  if (name === 'live') lux('dashboard-main', { endpoint, apiKey }).save({ orders_per_second: 42 });
});
`;

/** What the child told, with this in its environment. */
async function told({ endpoint }, env) {
  const args = ['--input-type=module', '--eval', CHILD, endpoint, API_KEY];
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const { stdout } = await run(process.execPath, args, { cwd, env: { ...process.env, ...env }, timeout: 20_000 });
  return JSON.parse(stdout);
}

test('a page that came by https writes over https and watches over wss', { skip: missing }, async (t) => {
  const broker = await Broker.start(t, ['--tls-self-signed']);
  const address = `${broker.endpoint.replace('https:', 'wss:')}/stream/dashboard-main`;
  const NODE_EXTRA_CA_CERTS = join(broker.folder, 'first', 'self-signed.pem');
  const { source, address: opened } = await told(broker, { NODE_EXTRA_CA_CERTS });
  assert.deepEqual([source, opened.split('?')[0]], ['live', address]);
  assert.equal((await told(broker, {})).status, 'offline', 'nobody told this one to believe the certificate');
});
