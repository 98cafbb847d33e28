/**
 * The other side of every connection, a process of its own: the server's half of XEP-0114, then what the order says.
 *
 *   node bench/peer.mjs '{"order":"flood","corpora":10}'
 *
 * It prints its port as one line of JSON, and when it is told to end (its stdin closes), what it counted as another.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { setImmediate } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { percentile } from './statistics.mjs';
import { CORPUS, corpus, now, pieces, probe } from './traffic.mjs';

const DOMAIN = 'echo.example.org';
const SECRET = 'secret';
const order = JSON.parse(process.argv[2]);
const counted = { connections: 0, messages: 0, bytes: 0, reads: 0 };
let ids = 0;

/** Answers the stream header and the handshake, then calls back. */
function accept(socket, ready) {
  let text = '';
  ids += 1;
  const id = `id${ids}`;
  const digest = createHash('sha1').update(`${id}${SECRET}`).digest('hex');
  let opened = false;
  const read = (chunk) => {
    text += chunk.toString('latin1');
    if (!opened && /<stream:stream[^>]*>/.test(text)) {
      opened = true;
      socket.write(
        `<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='${DOMAIN}' id='${id}'>`,
      );
    }
    if (!text.includes('</handshake>')) return;
    if (!text.includes(digest)) throw new Error('the handshake is wrong');
    socket.off('data', read);
    counted.connections += 1;
    socket.write('<handshake/>');
    ready(socket);
  };
  socket.on('data', read);
  socket.on('error', () => undefined);
  socket.setNoDelay(true);
}

const drained = (socket) => new Promise((resolve) => socket.once('drain', resolve));

async function flood(socket, corpora) {
  for (let i = 0; i < corpora && !socket.destroyed; i += 1) if (!socket.write(corpus)) await drained(socket);
}

/** Counts what arrives, by the beginnings of messages, wherever the chunks are cut. */
function count(socket) {
  const mark = Buffer.from('<message');
  let tail = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    counted.reads += 1;
    counted.bytes += chunk.length;
    const bytes = Buffer.concat([tail, chunk]);
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) counted.messages += 1;
    // Shorter than the mark, so nothing is counted twice.
    tail = bytes.subarray(Math.max(0, bytes.length - mark.length + 1));
  });
}

/** Sends the corpus whenever something arrives. */
function answer(socket) {
  socket.on('data', () => void flood(socket, 1));
}

/**
 * Sends stanzas at an even rate, and every so often a probe with the time at which it was due; then at one higher rate after
 * the other. How late it was itself is counted apart: so late it was asked by the event loop.
 */
async function pace(socket, { warm, every, stages }) {
  await flood(socket, warm);
  const list = pieces(1).map(({ bytes }) => bytes);
  const late = [];
  for (const [i, { rate, probes }] of stages.entries()) {
    // Whatever waits is to be gone before.
    if (i < 2) await pause(1_000);
    await evenly(socket, { rate, every, probes, list, late: i === 0 ? late : [] });
  }
  counted.late = { p50: percentile(late, 0.5) / 1000, p99: percentile(late, 0.99) / 1000 };
}

function evenly(socket, { rate, every, probes, list, late }) {
  const start = now();
  let sent = 0;
  let asked = 0;
  return new Promise((resolve) => {
    const step = () => {
      const time = now();
      const due = Math.floor(((time - start) * rate) / 1e6);
      const batch = [];
      for (; sent < due && asked < probes; sent += 1) {
        if (sent % every === 0) {
          const at = start + Math.floor((sent * 1e6) / rate);
          batch.push(Buffer.from(probe(at)));
          late.push(time - at);
          asked += 1;
        } else batch.push(list[sent % CORPUS]);
      }
      if (batch.length > 0) socket.write(Buffer.concat(batch));
      if (asked < probes && !socket.destroyed) setImmediate(step);
      else resolve();
    };
    step();
  });
}

/** Sends to all connections in turn, once there are enough of them. */
async function sprinkle(sockets, { corpora, bytes }) {
  const parts = pieces(bytes);
  let next = 0;
  let congested = 0;
  let free = () => undefined;
  for (let i = 0; i < corpora; i += 1) {
    for (const part of parts) {
      const socket = sockets[next % sockets.length];
      next += 1;
      if (!socket.write(part.bytes)) {
        congested += 1;
        socket.once('drain', () => {
          congested -= 1;
          free();
        });
      }
      // So that the process that is measured falls behind by some connections, not by all.
      if (congested > 32) await new Promise((resolve) => (free = resolve));
    }
    await new Promise(setImmediate);
  }
}

const sockets = [];
const server = createServer((socket) => {
  accept(socket, () => {
    if (order.order === 'flood') void flood(socket.resume(), order.corpora);
    else if (order.order === 'pace') void pace(socket.resume(), order);
    else if (order.order === 'count') count(socket);
    else if (order.order === 'ask') answer(socket);
    else {
      sockets.push(socket.resume());
      if (order.order === 'sprinkle' && sockets.length === order.connections) void sprinkle(sockets, order);
    }
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 }, () => {
  console.log(JSON.stringify({ port: server.address().port }));
});
process.stdin.on('end', () => {
  console.log(JSON.stringify(counted));
  process.exit();
});
process.stdin.resume();
