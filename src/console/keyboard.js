// The keyboard: `/` to search, arrows to move through the list, Esc to go back.
//
// Always true: a key that types into a field keeps doing so; nothing here takes a key with Ctrl, Alt or Meta.
// Read first: app.js.

import { byId } from './dom.js';

const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

/** `open(key, { replace })` shows a key, or the overview for null; `selected()` is what is shown. */
export function listenToKeys({ list, open, selected }) {
  const search = byId('search');
  const openListed = (key) => {
    if (key === null) return;
    open(key, { replace: selected() !== null });
  };

  addEventListener('keydown', (event) => {
    if (byId('house').hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '/' && !isTyping(event.target)) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === 'Escape') {
      goBack(event.target);
    } else if (event.key in STEPS && movesTheList(event)) {
      event.preventDefault();
      openListed(list.neighbour(STEPS[event.key]));
    } else if (event.key === 'Enter' && event.target === search) {
      openListed(list.keys[0] ?? null);
    }
  });

  function goBack(target) {
    if (target === search && search.value !== '') {
      search.value = '';
      search.dispatchEvent(new Event('input', { bubbles: true }));
    } else if (target === search) {
      search.blur();
    } else if (selected() !== null) {
      open(null);
    }
  }

  function movesTheList({ key, target }) {
    if (target === search) return key === 'ArrowDown' || key === 'ArrowUp';
    // Elsewhere than on the list and the bare page, Home or Page Down scroll what they always scrolled.
    const free = target === document.body || target === byId('list');
    return free || ((key === 'ArrowDown' || key === 'ArrowUp') && !isTyping(target) && target.closest('.index') !== null);
  }
}

function isTyping(target) {
  return target instanceof HTMLElement && target.matches('input, textarea, select');
}
