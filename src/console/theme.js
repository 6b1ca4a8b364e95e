// Light or dark: as the system says, until the person says otherwise.
//
// Always true: the choice lives in this browser only; choosing what the system already shows goes back to
// following it.
// Read first: style.css, where every colour is a pair.

const SLOT = 'lux.theme';
const systemDark = matchMedia('(prefers-color-scheme: dark)');

/** Applies the remembered choice, and lets the button change it. `onChange` runs when colours change. */
export function followTheme(button, onChange) {
  apply(localStorage.getItem(SLOT));
  systemDark.addEventListener('change', onChange);
  button.addEventListener('click', () => {
    const wanted = isDark() ? 'light' : 'dark';
    const system = systemDark.matches ? 'dark' : 'light';
    if (wanted === system) localStorage.removeItem(SLOT);
    else localStorage.setItem(SLOT, wanted);
    apply(wanted === system ? null : wanted);
    onChange();
  });
}

function apply(choice) {
  if (choice === 'light' || choice === 'dark') document.documentElement.dataset.theme = choice;
  else delete document.documentElement.dataset.theme;
}

function isDark() {
  return (document.documentElement.dataset.theme ?? (systemDark.matches ? 'dark' : 'light')) === 'dark';
}
