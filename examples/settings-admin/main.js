// An admin screen that edits one state with compare-and-set, and shows both sides when somebody else was faster.
//
// Always true: what is saved was compared with the state that this person saw when they began to edit; nothing is overwritten
// unseen. What others save shows at once under "in force now", and never changes a field that is being edited.
// Read first: ../shared/page.js; colleague for somebody else who saves.

import { byId, each, given, h, openPage, put } from '../shared/page.js';

const LABELS = { limit: 'orders at once', free_shipping_from: 'free shipping from', provider: 'payments by', banner: 'text', maintenance: 'maintenance' };
const key = given('state', 'settings-checkout');
const me = given('as', 'you');
const fields = [...byId('sheet').elements].filter(({ name }) => name in LABELS);
let now = null; // what is in force: { state, etag }
let seen = null; // the same, when editing began

const page = await openPage({ title: 'Settings', start: 'colleague' });
page.follow(key, (state, meta) => {
  now = { state, etag: meta.exists ? `"${meta.epoch}.${meta.rev}"` : null };
  if (!isEdited()) begin();
  showNow();
});

byId('sheet').addEventListener('input', markChanged);
byId('sheet').addEventListener('submit', (event) => {
  event.preventDefault();
  save(seen.etag);
});
byId('undo').addEventListener('click', begin);
byId('theirs').addEventListener('click', begin);
// What the person has now seen on both sides is what this save is compared with: a third one would be told of, too.
byId('mine').addEventListener('click', () => save(byId('conflict').dataset.etag));

const value = (field) => (field.type === 'checkbox' ? field.checked : field.type === 'number' ? Number(field.value) : field.value);
const isEdited = () => seen !== null && fields.some((field) => value(field) !== normal(seen.state, field));

function normal(state, field) {
  return state?.[field.name] ?? (field.type === 'checkbox' ? false : field.type === 'number' ? 0 : field.name === 'provider' ? 'adyen' : '');
}

/** The form shows what is in force; from here on it is compared with that. */
function begin() {
  seen = now;
  for (const field of fields) {
    if (field.type === 'checkbox') field.checked = normal(seen.state, field);
    else field.value = normal(seen.state, field);
  }
  byId('conflict').hidden = true;
  markChanged();
}

function markChanged() {
  for (const field of fields) field.classList.toggle('is-changed', value(field) !== normal(seen?.state, field));
  byId('save').disabled = byId('undo').disabled = !isEdited();
  const isBehind = isEdited() && now.etag !== seen.etag;
  byId('told').textContent = isBehind ? 'Somebody has saved since you began.' : isEdited() ? 'Not saved yet.' : 'Nothing is changed.';
}

async function save(etag) {
  const edited = Object.fromEntries(fields.map((field) => [field.name, value(field)]));
  const version = (now.state?.version ?? 0) + 1;
  const state = { summary: `checkout settings v${version} by ${me}`, version, saved_by: me, saved_at: new Date().toISOString(), ...edited };
  const headers = { Authorization: `Bearer ${page.apiKey()}`, 'Content-Type': 'application/json' };
  Object.assign(headers, etag ? { 'If-Match': etag } : { 'If-None-Match': '*' });
  const answer = await fetch(`${page.endpoint}/${key}`, { method: 'PUT', headers, body: JSON.stringify({ data: state }) }).catch(() => null);
  const record = await answer?.json().catch(() => null);
  if (answer?.status === 412) return showConflict(edited, record, answer.headers.get('etag'));
  byId('told').textContent = answer?.ok ? 'Saved.' : `Not saved: ${record?.message ?? 'the broker cannot be reached'}`;
  if (!answer?.ok) return;
  now = { state, etag: answer.headers.get('etag') };
  begin();
  showNow();
}

function showConflict(edited, record, etag) {
  const theirs = record?.data ?? {};
  const differing = fields.filter((field) => edited[field.name] !== normal(theirs, field));
  byId('conflict').hidden = false;
  byId('conflict').dataset.etag = etag ?? now.etag;
  byId('conflict-who').textContent = `${theirs.saved_by ?? 'Somebody'} saved version ${theirs.version ?? '?'} while you were editing. Yours was not saved.`;
  byId('differences').replaceChildren(...differing.map((field) => h('tr', {}, h('td', {}, LABELS[field.name]), h('td', {}, h('b', {}, String(edited[field.name]))), h('td', {}, String(normal(theirs, field))))));
}

function showNow() {
  markChanged();
  put('version', now.state ? `version ${now.state.version}` : 'none yet');
  const rows = fields.map((field) => [LABELS[field.name], normal(now.state, field)]);
  if (now.state) rows.push(['saved by', now.state.saved_by]);
  each(byId('now'), rows.flatMap(([name, text]) => [{ id: `${name}?`, text: name, tag: 'dt' }, { id: name, text: String(text), tag: 'dd' }]), {
    key: ({ id }) => id,
    make: ({ tag }) => h(tag),
    update: (element, { text }) => put(element, text),
  });
}
