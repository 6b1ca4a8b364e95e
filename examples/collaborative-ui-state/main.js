// A sheet that several people fill in at once: shared fields, carets, and who is here.
//
// Always true: a change patches its own field and nothing else, so people in different fields never lose a word. A caret is a
// state too: only the newest place matters.
// Read first: ../shared/page.js; colleague.mjs for somebody who types.

import { byId, each, given, h, openPage, put } from '../shared/page.js';

const GATHER_MS = 250;
const HEARTBEAT_MS = 5_000;
const GONE_MS = 15_000;
const key = given('state', 'review-launch-notes');
const names = ['Ada', 'Ben', 'Cleo', 'Dov', 'Esra', 'Finn', 'Gus', 'Hana'];
const me = sessionStorage.getItem('lux.me') ?? `p${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
sessionStorage.setItem('lux.me', me);
const name = given('as', names[parseInt(me.slice(1), 36) % names.length]);
const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);
const fields = [...byId('sheet').elements].filter((field) => field.name);
const seenAt = new Map(); // when each person was last heard of, by this page's clock
let sheet = null;
let caret = { field: null, at: 0 };

const page = await openPage({ title: 'Launch notes', start: 'colleague.mjs' });
const session = page.follow(key, show, { debounce: GATHER_MS });

byId('sheet').addEventListener('submit', (event) => event.preventDefault());
byId('sheet').addEventListener('input', ({ target }) => {
  const opening = sheet?.status ? {} : standing('draft');
  session.patch({ ...opening, fields: { [target.name]: target.value } });
});
for (const event of ['selectionchange', 'focusin', 'focusout']) document.addEventListener(event, tellCaret);
setInterval(tellPresence, HEARTBEAT_MS);
addEventListener('pagehide', () => session.patch({ people: { [me]: null } }));
byId('ready').addEventListener('click', () => session.patch(standing(sheet?.status === 'ready for review' ? 'draft' : 'ready for review')));
tellPresence();

function standing(status) {
  return { status, summary: `launch-notes ${status}` };
}

function tellCaret() {
  const field = fields.includes(document.activeElement) ? document.activeElement : null;
  const now = { field: field?.name ?? null, at: field?.selectionEnd ?? 0 };
  if (now.field === caret.field && now.at === caret.at) return;
  caret = now;
  tellPresence();
}

function tellPresence() {
  session.patch({ people: { [me]: { name, hue, ...caret, beat: Date.now() } } });
}

function show(state) {
  sheet = state;
  for (const field of fields) setText(field, state?.fields?.[field.name] ?? field.options?.[0].value ?? '');
  for (const [id, person] of Object.entries(state?.people ?? {})) {
    if (seenAt.get(id)?.beat !== person.beat) seenAt.set(id, { beat: person.beat, at: Date.now() });
  }
  showPeople();
  put('status', state?.status ?? 'not begun');
  byId('ready').textContent = state?.status === 'ready for review' ? 'Back to draft' : 'Ready for review';
}

/** What others wrote comes in under the person's own caret, which stays where it is. */
function setText(field, text) {
  if (field.value === text) return;
  const { selectionStart: start, selectionEnd: end } = field;
  const before = field.value;
  field.value = text;
  if (field !== document.activeElement || start === null) return;
  let same = 0;
  while (same < start && before[same] === text[same]) same += 1;
  const moved = same < start ? text.length - before.length : 0;
  field.setSelectionRange(Math.max(same, start + moved), Math.max(same, end + moved));
}

function showPeople() {
  const here = Object.entries(sheet?.people ?? {}).filter(([id]) => id === me || Date.now() - (seenAt.get(id)?.at ?? 0) < GONE_MS);
  each(byId('people'), here, {
    key: ([id]) => id,
    make: ([id, person]) => h('li', { '--hue': person.hue }, h('span.face', {}, person.name[0]), h('b', {}, person.name + (id === me ? ' (you)' : '')), h('span.grow.soft.small.cut')),
    update: (item, [, person]) => { item.lastElementChild.textContent = person.field ? `in ${person.field}` : 'looking on'; },
  });
  for (const field of fields) showCarets(field, here.filter(([id, person]) => id !== me && person.field === field.name));
}

function showCarets(field, people) {
  const desk = field.parentElement;
  for (const old of desk.querySelectorAll('.mirror, .flag')) old.remove();
  desk.classList.toggle('is-held', people.length > 0);
  for (const [, person] of people) {
    desk.style.setProperty('--hue', person.hue);
    desk.append(h('span.flag', { '--hue': person.hue }, person.name));
    if (!['TEXTAREA', 'INPUT'].includes(field.tagName) || field.type === 'date') continue;
    const mirror = h(field.name === 'headline' ? 'span.mirror.is-headline' : 'span.mirror', { ariaHidden: 'true' }, field.value.slice(0, person.at), h('i.caret', { '--hue': person.hue }));
    desk.append(mirror);
    mirror.scrollTop = field.scrollTop;
  }
}

setInterval(showPeople, 1_000);
