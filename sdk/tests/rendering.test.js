// The hook on a server, where there is no page: what it renders, and that it opens nothing.
//
// Always true: React's own renderer.
//
// Read first: ../lux-react.js.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createElement as h } from 'react';
import { renderToString } from 'react-dom/server';
import { fetchLux, snapshot } from '../lux-handover.js';
import { LuxProvider, useLux } from '../lux-react.js';
import { API_KEY, Broker, missing } from './help/broker.js';

const given = (n) => ({ etag: `"e.${n}"`, record: { key: 'a', rev: n, updatedAt: n, data: { n } } });
const Show = ({ of, ...options }) => {
  const { state, meta, status } = useLux(of, options);
  return `${of} ${JSON.stringify(state)} ${meta.exists} ${status}`;
};
const render = (...parts) => renderToString(h(...parts)).replaceAll('&quot;', '"').replaceAll('<!-- -->', ' ');
const refusing = { WebSocket: class { constructor() { throw new Error('opened'); } }, fetch: () => { throw new Error('asked'); } };

test('what was handed over is rendered, and nothing is opened', () => {
  const at = { endpoint: '/api/lux', initial: { a: given(7) }, ...refusing };
  assert.equal(render(LuxProvider, at, h(Show, { of: 'a' }), h(Show, { of: 'b' })), 'a {"n":7} true idle b undefined false idle');
});

test('one request never sees what another was given, even without a provider', () => {
  assert.equal(render(Show, { of: 'a', initial: given(1) }), 'a {"n":1} true idle');
  assert.equal(render(Show, { of: 'a', initial: given(2) }), 'a {"n":2} true idle');
  assert.equal(render(Show, { of: 'a' }), 'a undefined false idle');
});

test('an option that belongs to the provider, and what is no key, are not taken silently', () => {
  assert.throws(() => render(Show, { of: 'a', endpoint: '/api/lux' }), /useLux takes no "endpoint": it belongs to LuxProvider/);
  assert.throws(() => render(Show, { of: 'no key' }), /is no key/);
});

test('the broker is asked once, and says what there is and what there is not', { skip: missing }, async (t) => {
  const broker = await Broker.start(t);
  const { rev } = await broker.put('a', { n: 1 });
  const at = { endpoint: broker.endpoint, apiKey: API_KEY };
  const states = await snapshot(['a', 'none'], at);
  assert.deepEqual([states.a.record.data, states.a.record.rev, states.none], [{ n: 1 }, rev, { etag: null, record: null }]);
  assert.equal(states.a.etag, (await broker.request('GET', 'a')).headers.get('ETag'));
  await assert.rejects(fetchLux('a', { ...at, apiKey: 'wrong_0123456789abcdef' }), { status: 401 });
});

test('a broker that does not answer is not waited for', async () => {
  const fetch = (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  await assert.rejects(fetchLux('a', { endpoint: 'http://broker.test/api/lux', fetch, timeout: 20 }), { code: 'offline' });
});
