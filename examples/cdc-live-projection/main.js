// A table of PostgreSQL, live: what its log says, folded into one state.
//
// Always true: the page knows no SQL and no log, only the newest projection; whoever comes late needs nothing from before.
// Read first: ../shared/page.js; agent.py for how the log becomes a state.

import { byId, each, given, h, openPage, put, whole } from '../shared/page.js';

const key = given('state', 'projection-accounts-current');
const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' }).format;

const page = await openPage({ title: 'Accounts', start: 'database ./agent.py' });
page.follow(key, (state) => {
  const { accounts = {}, rows, lsn, wal_lsn: wal, transactions, changes_folded: folded, last = [] } = state ?? {};
  put('count', rows);
  put('folded', Number.isFinite(folded) ? whole(folded) : undefined);
  put('lsn', lsn);
  put('wal', wal);
  put('transactions', transactions);
  const all = Object.entries(accounts).sort(([one], [other]) => one - other);
  put('total', money(all.reduce((sum, [, { balance }]) => sum + balance, 0)));
  each(byId('rows'), all, { key: ([id]) => id, make: ([id]) => h('tr.is-new', {}, h('td', {}, id), h('td'), h('td', {}, h('span.pill')), h('td.number')), update: showRow });
  each(byId('changes'), [...last].reverse(), {
    key: ({ lsn: number }) => number,
    make: ({ lsn: number, what, id, owner }) => h('li', {}, h('b', {}, what), h('span.cut', {}, owner ?? `account ${id}`), h('span.soft.mono', {}, number)),
    update: () => {},
  });
});

function showRow(row, [, { owner, status, balance }]) {
  const [, who, how, sum] = row.children;
  who.textContent = owner;
  how.firstElementChild.textContent = status;
  how.firstElementChild.className = `pill ${status === 'open' ? 'is-good' : 'is-bad'}`;
  put(sum, money(balance));
}
