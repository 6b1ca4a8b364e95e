// How long a change takes, as the page that shows it would say.
//
// Always true: one clock, the page's own, from the moment in which it hands the PUT to the browser. One change at a time, and the
// next only when the one before has arrived or counts as lost.
// Read first: prove.js.

/** One first change and `tries` more; times in milliseconds: acknowledged, delivered, shown. */
export async function measure(page, { broker, apiKey, key, state, proof, tries, lostMs }) {
  const all = await page.evaluate(timeChanges, { broker, apiKey, key, state, proof, tries, lostMs });
  const [first, ...rest] = all.filter(({ delivered }) => delivered !== null);
  const lost = all.filter(({ delivered }) => delivered === null).length;
  const of = (name) => summed(rest.map((one) => one[name]), first?.[name]);
  return { made: all.length, lost, acknowledged: of('acknowledged'), delivered: of('delivered'), shown: of('shown') };
}

function summed(values, first) {
  const sorted = values.filter((value) => value !== null).sort((one, other) => one - other);
  const round = (value) => (value === undefined || value === null ? null : Math.round(value * 10) / 10);
  return { median: round(sorted[Math.floor(sorted.length / 2)]), worst: round(sorted.at(-1)), first: round(first) };
}

/** Runs in the page. */
async function timeChanges({ broker, apiKey, key, state, proof, tries, lostMs }) {
  const LOST_MAX = 2;
  const address = `${broker.replace(/^http/, 'ws')}/api/lux/stream/${key}`;
  const socket = new WebSocket(address, ['lux.v1', `lux.key.${apiKey}`]);
  const awaited = new Map(); // summary → what to do when a frame brings it
  await new Promise((resolve, reject) => {
    socket.onerror = () => reject(new Error(`no stream at ${address}`));
    socket.onmessage = ({ data }) => {
      const at = performance.now();
      const message = JSON.parse(data);
      if (message.synced) resolve();
      awaited.get(message.data?.summary)?.(at);
    };
  });
  const place = document.getElementById('summary');
  const within = (promise) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, lostMs, null))]);
  const shows = (text) => new Promise((resolve) => {
    const look = () => place.textContent === text && (observer.disconnect(), resolve(performance.now()));
    const observer = new MutationObserver(look);
    observer.observe(place, { childList: true, characterData: true, subtree: true });
  });
  const headers = { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' };
  const times = [];
  for (let change = 0; change <= tries; change += 1) {
    const summary = `${proof} · ${change}`;
    const delivered = within(new Promise((resolve) => awaited.set(summary, resolve)));
    const shown = within(shows(summary));
    const begun = performance.now();
    const answer = await fetch(`${broker}/api/lux/${key}`, { method: 'PUT', headers, body: JSON.stringify({ data: { ...state, summary } }) });
    const acknowledged = performance.now() - begun;
    if (!answer.ok) throw new Error(`PUT answered ${answer.status}`);
    await answer.text();
    const since = (at) => (at === null ? null : at - begun);
    times.push({ acknowledged, delivered: since(await delivered), shown: since(await shown) });
    if (times.filter((one) => one.delivered === null).length >= LOST_MAX) break;
  }
  socket.close();
  return times;
}
