// The ready lines for a terminal, about the state that is shown.
//
// Always true: what is copied runs as it stands in a POSIX shell, and the key in it is `$LUX_API_KEY`, never
// the key itself.
// Read first: nothing.

const STATE_TEXT_MAX = 240;

/** What there is to do with a key, in the order of the tabs. */
export const COMMANDS = ['put', 'patch', 'get', 'watch', 'delete'];

/** One line of `curl` for this key; `stateText` is the state as JSON, or null where there is none. */
export function curlLine(command, origin, key, stateText) {
  const address = `${origin}/api/lux/${command === 'watch' ? 'stream/' : ''}${key}`;
  const lines = [`curl ${flags(command)}${quote(address)}`, `-H "Authorization: Bearer $LUX_API_KEY"`];
  if (command === 'put') lines.push(`-d ${quote(`{"data":${bodyText(stateText)}}`)}`);
  if (command === 'patch') {
    lines.push(`-H 'Content-Type: application/merge-patch+json'`, `-d ${quote(patchText(stateText))}`);
  }
  return lines.join(' \\\n  ');
}

function flags(command) {
  return { put: '-X PUT ', patch: '-X PATCH ', get: '', watch: '-N ', delete: '-X DELETE ' }[command];
}

function bodyText(stateText) {
  return stateText !== null && stateText.length <= STATE_TEXT_MAX ? stateText : '{"orders_per_second":42}';
}

function patchText(stateText) {
  // The first member as it stands: a patch that can be sent at once and changes nothing until edited.
  const state = stateText === null ? null : JSON.parse(stateText);
  const isObject = state !== null && typeof state === 'object' && !Array.isArray(state);
  const [name, value] = (isObject && Object.entries(state).find(([, one]) => isScalar(one))) || ['note', 'hello'];
  return JSON.stringify({ [name]: value });
}

function isScalar(value) {
  return value !== null && typeof value !== 'object' && String(value).length < 60;
}

/** A word for the shell: in single quotes, which quote everything but themselves. */
function quote(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
