// The console, put together: the door, the list, one state or the overview, and the address of what is shown.
//
// Always true: the address bar says what is shown (`#/dashboard-main`), so that it can be sent and reloaded.
// Records go into the store as they come; the page looks at the store once per frame.
// Read first: session.js and store.js for the data; list.js, detail.js and field.js for the sight.

import { byId } from './dom.js';
import { everySecond, painter } from './frame.js';
import { forget, probe, remember, remembered, takeKeyFromAddress } from './access.js';
import { Bar } from './bar.js';
import { Connection } from './connection.js';
import { Detail } from './detail.js';
import { Explain } from './explain.js';
import { Field } from './field.js';
import { followTheme } from './theme.js';
import { Gate } from './gate.js';
import { History } from './history.js';
import { List } from './list.js';
import { Rate } from './rate.js';
import { Store } from './store.js';
import { Viewers } from './viewers.js';
import { Wall } from './wall.js';
import { listenToKeys } from './keyboard.js';
import { showLicense } from './license.js';

const history_ = new History();
const store = new Store(history_);
const rate = new Rate();
const bar = new Bar(store, rate);
const detail = new Detail(store, history_);
const explain = new Explain();
const field = new Field({ canvas: byId('field'), hint: byId('field-hint'), store, onOpen: open });
const list = new List({
  port: byId('list'), count: byId('count'), empty: byId('list-empty'), store, history: history_, onOpen: open,
});
const wall = new Wall({ root: byId('wall'), store, history: history_ });
const viewers = new Viewers((number) => bar.viewers(number), showLicense);
const gate = new Gate(enter);
let access = null;
let ticked = false;

const paintSoon = painter((now) => {
  const { changed, shapeChanged } = store.drain();
  list.paint({ changed, shapeChanged, full: ticked, now });
  detail.paint({ changed, tick: ticked });
  if (shapeChanged) reshape();
  if (detail.key === null && wall.suits) wall.paint({ changed, full: ticked });
  if (detail.key === null && !wall.suits && field.paint(now)) paintSoon();
  ticked = false;
});

const connection = new Connection({
  store,
  probe,
  onState: (state) => bar.connection(state),
  onRecord: paintSoon,
  onRefused: (why) => gate.show(access, why),
});

/** Keys came or went: a few are shown as tiles, many as a field of lights. */
function reshape() {
  bar.states();
  byId('wall').hidden = !wall.suits;
  for (const id of ['field', 'field-hint']) byId(id).hidden = wall.suits;
  if (wall.suits) wall.arrange();
  else field.arrange();
}

/** The broker took this key: remember it and go in. */
function enter(given) {
  if (access?.key !== given.key || access?.patterns.join() !== given.patterns.join()) store.clear();
  access = given;
  explain.apiKey = given.key;
  if (given.key) remember(given);
  gate.hide();
  connection.start(given);
  viewers.start(given.key);
  show();
}

function leave() {
  forget();
  connection.stop();
  viewers.stop();
  store.clear();
  access = null;
  gate.show({});
}

/** Shows a key by going to its address; `replace` for steps that "back" should not retrace. */
function open(key, { replace = false } = {}) {
  const address = key === null ? '#/' : `#/${key}`;
  if (replace) history.replaceState(null, '', address);
  else if (location.hash !== address) history.pushState(null, '', address);
  show();
}

function show() {
  const key = keyInAddress();
  document.documentElement.dataset.view = key === null ? 'list' : 'detail';
  document.title = key === null ? 'Lux' : `${key} · Lux`;
  byId('overview').hidden = key !== null;
  byId('detail').hidden = key === null;
  detail.open(key);
  explain.open(key);
  list.select(key);
  ticked = true;
  if (key !== null) list.reveal(key);
  paintSoon();
}

function keyInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(2)) || null;
  } catch {
    return null;
  }
}

function recolor() {
  for (const part of [bar, detail, field, list, wall]) part.recolor();
  ticked = true;
  paintSoon();
}

async function start() {
  const fromAddress = takeKeyFromAddress();
  const known = fromAddress === null ? remembered() : { key: fromAddress, patterns: ['*'], lasting: false };
  const wanted = known ?? { key: '', patterns: ['*'], lasting: false };
  const answer = await probe(wanted);
  // A broker that is away may come back: with a key in hand it is worth waiting for.
  if (answer === 'ok' || (answer === 'away' && known)) enter(wanted);
  else gate.show(wanted, known ? answer : '');
}

followTheme(byId('theme'), recolor);
listenToKeys({ list, open, selected: () => detail.key });
everySecond(() => {
  store.prune(detail.key);
  rate.tick(store.updates);
  bar.tick(connection);
  ticked = true;
  paintSoon();
});
addEventListener('hashchange', () => (location.hash.includes('key=') ? start() : show()));
addEventListener('popstate', show);
addEventListener('resize', () => {
  list.remeasure();
  paintSoon();
});
byId('list').addEventListener('scroll', paintSoon, { passive: true });
byId('search').addEventListener('input', ({ target }) => {
  list.search(target.value);
  paintSoon();
});
byId('order').addEventListener('change', ({ target }) => {
  list.orderBy(target.value);
  paintSoon();
});
byId('link').addEventListener('click', () => connection.wake());
byId('leave').addEventListener('click', leave);
byId('back').addEventListener('click', () => open(null));
start();
