/**
 * The other side of clients over TLS: signs anyone in by PLAIN, binds, turns stream management on, then sends the corpus so
 * many times, and asks every so often how much of it has arrived.
 *
 *   node bench/secure-peer.mjs '{"corpora":10,"every":16384}'
 *
 * It prints its port and whom to trust as one line of JSON, and when it is told to end (its stdin closes) another one.
 */
import { createServer } from 'node:tls';
import { identity } from './identity.mjs';
import { pieces } from './traffic.mjs';

const DOMAIN = 'example.org';
const order = JSON.parse(process.argv[2]);
const { ca, key, cert } = await identity([DOMAIN, '127.0.0.1']);
const counted = { acknowledged: 0 };

const HEADER = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='${DOMAIN}' id='s1' version='1.0' xml:lang='en'>`;
const features = (text) => `${HEADER}<stream:features>${text}</stream:features>`;

/** What is awaited, and what is said to it. */
const STEPS = [
  [
    /<stream:stream[^>]*>/,
    () => features(`<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>`),
  ],
  [/<\/auth>/, () => `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`],
  [
    /<stream:stream[^>]*>/,
    () => features(`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/>`),
  ],
  [
    /<iq [^>]*\bid=["']([^"']*)["'][^]*<\/iq>/,
    ([, id]) =>
      `<iq type='result' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>echo@${DOMAIN}/bench</jid></bind></iq>`,
  ],
  [/<enable [^>]*>/, () => `<enabled xmlns='urn:xmpp:sm:3'/>`],
];

const drained = (socket) => new Promise((resolve) => socket.once('drain', resolve));

async function flood(socket) {
  const ask = Buffer.from(`<r xmlns='urn:xmpp:sm:3'/>`);
  const parts = pieces(order.every).map(({ bytes }) => Buffer.concat([bytes, ask]));
  for (let i = 0; i < order.corpora; i += 1) {
    for (const part of parts) {
      if (socket.destroyed) return;
      if (!socket.write(part)) await drained(socket);
    }
  }
}

const server = createServer({ key, cert }, (socket) => {
  let text = '';
  let step = 0;
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    while (step < STEPS.length) {
      const [awaited, answer] = STEPS[step];
      const found = awaited.exec(text);
      if (found === null) return;
      text = text.slice(found.index + found[0].length);
      step += 1;
      socket.write(answer(found));
      if (step === STEPS.length) void flood(socket);
    }
    counted.acknowledged = Number(/.*<a [^>]*\bh=["'](\d+)/s.exec(text)?.[1] ?? counted.acknowledged);
    text = text.slice(-200);
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ directPort: server.address().port, ca }));
});
process.stdin.on('end', () => {
  console.log(JSON.stringify(counted));
  process.exit();
});
process.stdin.resume();
