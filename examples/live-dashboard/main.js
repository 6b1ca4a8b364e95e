// The live dashboard: fetches the SDK from the broker, follows one key, and hands each state to the board.
//
// Always true: this page never writes. What it shows is the newest state the broker has, or is said to be old.
// Read first: board.js for what is shown.

import { showLink, showState, tickFreshness } from './board.js';

const query = new URLSearchParams(location.search);
const broker = (query.get('broker') ?? 'http://127.0.0.1:7373').replace(/\/+$/, '');
const key = query.get('state') ?? 'dashboard-main';
const wsBroker = broker.replace(/^http/, 'ws');

/** The API key: from `#key=…`, which then leaves the address bar, or as this tab remembers it. */
function apiKey() {
  const found = /[#&]key=([^&]*)/.exec(location.hash);
  if (found) {
    sessionStorage.setItem('lux.key', decodeURIComponent(found[1]));
    history.replaceState(null, '', location.pathname + location.search);
  }
  return sessionStorage.getItem('lux.key') ?? undefined;
}

function explain(text) {
  const help = document.getElementById('help');
  help.textContent = text;
  help.hidden = text === '';
}

async function fetchSdk() {
  for (let delay = 500; ; delay = Math.min(delay * 2, 10_000)) {
    try {
      // A module that failed to load is remembered as failed; another address asks again.
      return await import(`${broker}/lux.js?try=${delay}-${Date.now()}`);
    } catch {
      explain(`No broker at ${broker}. Start one with “lux demo”, or name it: ?broker=http://host:7373`);
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}

const given = apiKey();
const { lux } = await fetchSdk();
explain('');
const dashboard = lux(key, {
  endpoint: `${broker}/api/lux`,
  websocketUrl: `${wsBroker}/api/lux/stream/${key}`,
  apiKey: given,
  realtime: true,
});

dashboard.onStatus((status) => {
  showLink(status);
  explain(status === 'unauthorized' ? `This page needs an API key that may read ${key}: add #key=… to the address.` : '');
});
setInterval(tickFreshness, 250);
// Why a first load fails is told by the status above; the page stays, and heals when it can.
dashboard.load((state, meta) => showState(state, meta)).catch(() => {});
