// Types of lux-socket.js.
//
// Always true: nothing stands here that lux-socket.js does not export.
//
// Read first: README.md, "One socket for all keys".

/**
 * A class for the `WebSocket` option of `lux()`: all its sessions with the same broker and API key share one socket,
 * on which a key that is refused harms no other. Null where there is no WebSocket.
 */
export function shareSocket(
  WebSocket?: (new (url: string, protocols?: string[]) => unknown) | null,
): (new (url: string, protocols?: string[]) => unknown) | null;
