// The ready lines for a terminal, about the state that is shown.
//
// Always true: what is copied runs in a POSIX shell, and the key in it is `$LUX_API_KEY`, never the key itself.
// No line would put an example in the place of a real state.
// Read first: nothing.

/** A longer state is no line for a terminal any more; it is read from a file instead. */
const STATE_TEXT_MAX = 600;

/** What there is to do with a key, in the order of the tabs. */
export const COMMANDS = ['put', 'patch', 'get', 'watch', 'delete'];

/** Whether this does what one expects: a patch makes an object of whatever was there. */
export function suits(command, stateText) {
  return command !== 'patch' || stateText === null || stateText.startsWith('{');
}

/** One line of `curl` for this key; `stateText` is the state as JSON, or null where there is none. */
export function curlLine(command, origin, key, stateText) {
  const address = `${origin}/api/lux/${command === 'watch' ? 'stream/' : ''}${key}`;
  const lines = [`curl ${flags(command)}${quote(address)}`, `-H "Authorization: Bearer $LUX_API_KEY"`];
  if (command === 'put') lines.push(`-d ${bodyText(stateText)}`);
  if (command === 'patch') {
    lines.push(`-H 'Content-Type: application/merge-patch+json'`, `-d ${quote(patchText(stateText))}`);
  }
  return lines.join(' \\\n  ');
}

function flags(command) {
  return { put: '-X PUT ', patch: '-X PATCH ', get: '', watch: '-N ', delete: '-X DELETE ' }[command];
}

function bodyText(stateText) {
  if (stateText !== null && stateText.length > STATE_TEXT_MAX) return '@state.json';
  return quote(`{"data":${stateText ?? '{"orders_per_second":42}'}}`);
}

function patchText(stateText) {
  // The first plain member as it stands: a patch that can be sent at once, and that changes nothing as it is.
  const member = /^\{("(?:[^"\\]|\\.)*"):("(?:[^"\\]|\\.)*"|[^{["][^,}]*)/.exec(stateText ?? '');
  return member ? `{${member[1]}:${member[2]}}` : '{"note":"hello"}';
}

/** A word for the shell: in single quotes, which quote everything but themselves. */
function quote(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
