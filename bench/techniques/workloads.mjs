/**
 * What a technique is measured with. Each workload prepares itself with one build and gives a step: a piece of work of
 * some 20 ms that is always the same, and how many stanzas it is.
 */
import { HEADER, random, stanzas } from '../corpus.mjs';
import { dist } from '../dist.mjs';
import { alike, filterSet } from '../filter-sets.mjs';
import { CORPUS, corpus } from '../traffic.mjs';

const ignore = () => undefined;

async function reader(onElement) {
  const { Tokenizer } = await import(dist('xml/tokenizer/tokenizer.js'));
  const onError = (error) => {
    throw error;
  };
  const tokenizer = new Tokenizer({ onStreamStart: ignore, onStreamEnd: ignore, onElement, onError });
  tokenizer.write(Buffer.from(HEADER));
  return tokenizer;
}

/** Parses the corpus in chunks of that size. */
const parsing =
  (chunk, onElement = async () => ignore) =>
  async () => {
    const tokenizer = await reader(await onElement());
    const step = () => {
      for (let at = 0; at < corpus.length; at += chunk) tokenizer.write(corpus.subarray(at, at + chunk));
    };
    return { step, stanzas: CORPUS };
  };

/** Parses the corpus, and matches each stanza against filters. */
const matching = (which) =>
  parsing(16_384, async () => {
    const { FilterSet } = await import(dist('filters/filter-set.js'));
    const set = new FilterSet();
    for (const filter of which === 'alike' ? alike(10_000) : filterSet(which)) set.add(...filter);
    return (stanza) => set.match(stanza, ignore, ignore);
  });

/** Builds stanzas and writes them, as `output()` does. */
const writing = (make) => async () => {
  const { xml } = await import(dist('index.js'));
  const { written } = await import(dist('xml/serializer.js'));
  const scope = { defaultNamespace: 'jabber:component:accept' };
  const count = 10_000;
  let made = 0;
  let bytes = 0;
  const step = () => {
    for (let i = 0; i < count; i += 1) bytes += Buffer.byteLength(written(make(xml, (made += 1)), scope));
    if (bytes === 0) throw new Error('nothing was written');
  };
  return { step, stanzas: count };
};

const TEXT = 'hello there, how are you doing today?';

/** A message to one address, as in the outbound measure. */
const message = (xml, i) =>
  xml(
    'message',
    { from: 'echo.example.org', to: 'alice@example.org', id: `m${i}`, type: 'chat' },
    xml('body', {}, TEXT),
  );

const next = random(3);
const ADDRESSES = Array.from(
  { length: 997 },
  (_, i) => `user${i}@example.org/${Math.floor(next() * 1e9).toString(36)}`,
);
const FEATURES = ['disco#info', 'disco#items', 'muc', 'chatstates', 'caps'].map(
  (name) => `http://jabber.org/protocol/${name}`,
);

/** Stanzas of several kinds to a thousand addresses. */
function mixed(xml, i) {
  const to = ADDRESSES[i % ADDRESSES.length];
  const from = 'echo.example.org';
  switch (i % 4) {
    case 0:
      return xml(
        'message',
        { from, to, id: `m${i}`, type: 'groupchat' },
        xml('body', {}, `${TEXT} ${i}`),
        xml('active', { xmlns: 'http://jabber.org/protocol/chatstates' }),
        xml('origin-id', { xmlns: 'urn:xmpp:sid:0', id: `m${i}` }),
      );
    case 1:
      return xml(
        'presence',
        { from, to },
        xml('show', {}, i % 8 === 1 ? 'away' : 'dnd'),
        xml('c', {
          xmlns: 'http://jabber.org/protocol/caps',
          hash: 'sha-1',
          node: 'https://client.example',
          ver: `${i}`,
        }),
      );
    case 2:
      return xml(
        'iq',
        { from, to, id: `i${i}`, type: 'result' },
        xml(
          'query',
          { xmlns: 'http://jabber.org/protocol/disco#info' },
          xml('identity', { category: 'client', type: 'pc', name: `name ${i}` }),
          FEATURES.map((name) => xml('feature', { var: name })),
        ),
      );
    default:
      return xml('iq', { from, to, id: `i${i}`, type: 'get' }, xml('ping', { xmlns: 'urn:xmpp:ping' }));
  }
}

/** Writes stanzas that were received. */
const relaying = async () => {
  const list = [];
  const tokenizer = await reader((stanza) => list.push(stanza));
  tokenizer.write(corpus);
  const { written } = await import(dist('xml/serializer.js'));
  const scope = { defaultNamespace: 'jabber:component:accept' };
  let bytes = 0;
  const step = () => {
    for (const stanza of list) bytes += written(stanza, scope).length;
    if (bytes === 0) throw new Error('nothing was written');
  };
  return { step, stanzas: list.length };
};

/** Parses stanzas that are strings, one by one. */
const strings = async () => {
  const { parse } = await import(dist('index.js'));
  const list = stanzas(CORPUS);
  const step = () => {
    for (const text of list) parse(text);
  };
  return { step, stanzas: list.length };
};

/** Adds filters to a set. */
const adding = async () => {
  const { FilterSet } = await import(dist('filters/filter-set.js'));
  const list = filterSet(1_000);
  const step = () => {
    const set = new FilterSet();
    for (const filter of list) set.add(...filter);
  };
  return { step, stanzas: list.length };
};

/** Outputs messages to a ready component's socket. */
const outputting = async ({ port }) => {
  const { connect, senders } = await import('../candidates/ours.mjs');
  const link = await connect({ port });
  const [rounds, batch] = [20, 500];
  let made = 0;
  const step = async () => {
    for (let i = 0; i < rounds; i += 1) {
      await senders.element(link, made, batch, 'alice@example.org', TEXT);
      made += batch;
    }
  };
  return { step, stanzas: rounds * batch };
};

/** A component that asks its server for the corpus and gets it, each stanza to a subscriber. */
const receiving =
  (which) =>
  async ({ port }) => {
    const { connect } = await import('../candidates/ours.mjs');
    let seen = 0;
    let done = ignore;
    const received = () => {
      seen += 1;
      if (seen % CORPUS === 0) done();
    };
    const { broker } = await connect({ port, received, filters: filterSet(which) });
    const step = () => {
      const all = new Promise((resolve) => (done = resolve));
      broker.output(`<presence to='server.example.org'/>`);
      return all;
    };
    return { step, stanzas: CORPUS };
  };

/** Components that become ready, one after the other. */
const connecting = async ({ port }) => {
  const { connect } = await import('../candidates/ours.mjs');
  const count = 60;
  const step = async () => {
    for (let i = 0; i < count; i += 1) (await connect({ port })).close();
  };
  return { step, stanzas: count };
};

/** `order` is what the other side of its connection does, for those that have one. */
export const WORKLOADS = {
  parse: { text: 'parse, 16 KiB chunks', prepare: parsing(16_384) },
  'parse-1460': { text: 'parse, 1,460 B chunks', prepare: parsing(1_460) },
  'parse-64': { text: 'parse, 64 B chunks', prepare: parsing(64) },
  strings: { text: 'parse() of strings', prepare: strings },
  'match-10': { text: 'parse and match, 10 filters', prepare: matching(10) },
  'match-10000': { text: 'parse and match, 10,000 filters', prepare: matching(10_000) },
  'match-typical': { text: 'parse and match, the 10 typical filters', prepare: matching('typical') },
  'match-alike': { text: 'parse and match, 10,000 filters that begin alike', prepare: matching('alike') },
  add: { text: 'add 1,000 filters', prepare: adding },
  write: { text: 'build and write, one address', prepare: writing(message) },
  'write-mixed': { text: 'build and write, mixed', prepare: writing(mixed) },
  relay: { text: 'write received stanzas', prepare: relaying },
  output: { text: 'output() to a socket', prepare: outputting, order: { order: 'count' } },
  connect: { text: 'a component becomes ready', prepare: connecting, order: { order: 'hold' } },
  'inbound-0': { text: 'inbound from a socket, 0 filters', prepare: receiving(0), order: { order: 'ask' } },
  'inbound-10': { text: 'inbound from a socket, 10 filters', prepare: receiving(10), order: { order: 'ask' } },
};
