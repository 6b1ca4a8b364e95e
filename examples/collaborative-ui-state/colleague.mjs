#!/usr/bin/env node
// A colleague at the launch notes: types like a person, a letter at a time, with a caret, pauses and second thoughts.
//
// Always true: patches one field at a time and never touches what others write.
// usage: LUX_API_KEY=… ./colleague.mjs [--as Mina] [--fast]        (Node 20 or later; uses the SDK of this repository)

import { lux } from '../../sdk/lux.js';

const flag = (name, other) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : other);
const name = flag('--as', 'Mina');
const letterMs = process.argv.includes('--fast') ? 12 : 90;
const broker = process.env.LUX_BROKER ?? 'http://127.0.0.1:7373';
const id = `p-${name.toLowerCase()}`;
const hue = 285;

const SCRIPT = [
  ['headline', 'Orders appear the moment they are placed'],
  ['changes', 'The board no longer asks every five seconds. Each order is on the screen while the customer still looks at the receipt.'],
  ['risks', 'Screens behind old proxies fall back to event streams. Support knows how to tell.'],
];

const notes = lux('review-launch-notes', { endpoint: `${broker}/api/lux`, apiKey: process.env.LUX_API_KEY, debounce: 60 });
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms * (0.6 + 0.8 * Math.random())));
const stand = (field, at) => ({ people: { [id]: { name, hue, field, at, beat: Date.now() } } });

async function type(field, text) {
  for (let at = 1; at <= text.length; at += 1) {
    notes.patch({ fields: { [field]: text.slice(0, at) }, ...stand(field, at) });
    await rest(text[at - 1] === ' ' ? letterMs * 2 : letterMs);
    // A slip of the finger, and its correction.
    if (at % 37 === 0) {
      notes.patch({ fields: { [field]: `${text.slice(0, at)}x` }, ...stand(field, at + 1) });
      await rest(letterMs * 3);
    }
  }
  await notes.flush();
}

async function leave() {
  notes.patch({ people: { [id]: null } });
  await notes.close();
  process.exit(0);
}

process.on('SIGINT', leave);
process.on('SIGTERM', leave);
const { meta } = await notes.load();
if (!meta.exists) await notes.patch({ status: 'draft', summary: 'launch-notes draft' });
console.error(`${name} writes ${notes.key} on ${broker}`);
for (;;) {
  for (const [field, text] of SCRIPT) await type(field, text);
  await rest(letterMs * 10);
  await notes.patch({ status: 'ready for review', summary: 'launch-notes ready for review', ...stand(null, 0) });
  await rest(letterMs * 120);
  await notes.patch({ status: 'draft', summary: 'launch-notes draft' });
}
