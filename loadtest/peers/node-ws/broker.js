// A broker for current state as teams write it in an afternoon: a map of states, a set of viewers per key, and a
// loop that sends. It is the best of its kind: one text per write, made once and shared by all viewers; no
// compression; the answer goes out before the loop, so that a producer does not wait for a thousand sends.
// What it lacks is what teams leave out, too: nothing looks at how much a slow viewer has waiting.
//
// usage: node broker.js PORT
const { createServer } = require('node:http');
const { WebSocketServer } = require('ws');

const states = new Map(); // key → { rev, text }
const rooms = new Map(); // key → Set of sockets

const server = createServer((request, response) => {
  const key = request.url.slice('/state/'.length);
  if (request.method !== 'PUT' || !request.url.startsWith('/state/')) {
    response.writeHead(404).end();
    return;
  }
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    let data;
    try {
      data = JSON.parse(Buffer.concat(parts));
    } catch {
      response.writeHead(400).end();
      return;
    }
    const rev = (states.get(key)?.rev ?? 0) + 1;
    const text = Buffer.from(JSON.stringify({ key, rev, updatedAt: Date.now(), data }));
    states.set(key, { rev, text });
    response.writeHead(204).end();
    for (const socket of rooms.get(key) ?? []) socket.send(text, { binary: false });
  });
});

// Node ends idle connections after five seconds by itself; producers keep theirs.
server.keepAliveTimeout = 0;
server.requestTimeout = 0;

const viewers = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false });
viewers.on('connection', (socket, request) => {
  const key = request.url.slice('/watch/'.length);
  const room = rooms.get(key) ?? new Set();
  rooms.set(key, room.add(socket));
  socket.on('close', () => {
    room.delete(socket);
    if (room.size === 0) rooms.delete(key);
  });
  socket.on('error', () => socket.terminate());
  const state = states.get(key);
  if (state) socket.send(state.text, { binary: false });
});

server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
