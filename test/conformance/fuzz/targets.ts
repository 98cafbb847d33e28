// What a fuzzer feeds with bytes: each takes any, and throws only when something is wrong with us. Coverage-guided fuzzing
// (scripts/evidence/fuzz.mjs) makes one file of each; `npm test` runs the kept inputs and changes of them.
import { BrokerError } from '../../../src/errors.js';
import { FilterSet } from '../../../src/filters/filter-set.js';
import { JID } from '../../../src/jid/jid.js';
import { decodeBase64 } from '../../../src/protocols/sasl/base64.js';
import { readChallenge, readResponseAuth } from '../../../src/protocols/sasl/digest-challenge.js';
import {
  DEFAULT_ITERATION_LIMITS,
  readServerFinal,
  readServerFirst,
} from '../../../src/protocols/sasl/scram-message.js';
import { sessionOf, stanzaOf } from '../../../src/stores/record.js';
import { DerError, DerReader, readOid } from '../../../src/tls/der.js';
import type { Element, Node } from '../../../src/xml/element.js';
import { NS } from '../../../src/xml/namespaces.js';
import { serialize } from '../../../src/xml/serializer.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { Tokenizer } from '../../../src/xml/tokenizer/tokenizer.js';
import { Text } from '../../../src/xml/text.js';

/** Runs it, and lets pass what may be thrown because of bad input. */
function allowing<T>(expected: (error: unknown) => boolean, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (expected(error)) return undefined;
    throw error;
  }
}

const ours =
  (pattern: RegExp) =>
  (error: unknown): boolean =>
    error instanceof BrokerError && pattern.test(error.code);

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** Everything about a tree that is to be the same again. */
function shape(node: Node): unknown {
  if (node instanceof Text) return node.data;
  // Where a namespace is declared is another matter.
  const attributes = node.attributes
    .filter(({ namespaceURI }) => namespaceURI !== NS.XMLNS)
    .map(({ namespaceURI, localName, value }) => [namespaceURI, localName, value]);
  return [node.namespaceURI, node.localName, attributes.sort(), node.childNodes.map(shape)];
}

/** What a stream of these bytes reports, in pieces of so many bytes. */
function reported(bytes: Uint8Array, pieces: number): { readonly events: string[]; readonly elements: Element[] } {
  const events: string[] = [];
  const elements: Element[] = [];
  const tokenizer: Tokenizer = new Tokenizer({
    onStreamStart: (header) => events.push(`start ${header.name}`),
    onElement: (element) => {
      elements.push(element);
      events.push(`${String(tokenizer.offset)} ${JSON.stringify(shape(element))}`);
    },
    onStreamEnd: () => events.push(`end ${String(tokenizer.offset)}`),
    onError: (error) => events.push(`${error.code} ${String(error.offset)} ${error.message}`),
  });
  for (let at = 0; at < bytes.length; at += pieces) tokenizer.write(bytes.subarray(at, at + pieces));
  tokenizer.end();
  return { events, elements };
}

/** The pieces make no difference, one thing at most is wrong, and what is written again is the same. */
function tokenizer(data: Buffer): void {
  const bytes = data.subarray(1);
  const whole = reported(bytes, Infinity);
  const cut = reported(bytes, 1 + ((data[0] ?? 0) % 16));
  must(JSON.stringify(whole.events) === JSON.stringify(cut.events), 'the pieces make a difference');
  must(whole.events.filter((event) => /^[A-Z]/.test(event)).length <= 1, 'two errors');
  for (const element of whole.elements) {
    const again = parse(serialize(element));
    must(JSON.stringify(shape(again)) === JSON.stringify(shape(element)), 'what is written is another tree');
  }
}

const STANZA = parse(
  "<message xmlns='jabber:client' from='a@b/c' type='chat' id='1'><body>x</body><x xmlns='urn:x' y='2'><z>3</z></x></message>",
);

/** An expression is refused when it is added, or has a result within its budget, the same with and without the index. */
function xpath(data: Buffer): void {
  const expression = data.toString('utf8');
  const results = [true, false].map((index) => {
    const set = new FilterSet({ index, visits: 5_000 });
    const filter = allowing(ours(/^(FILTER|USAGE)_/), () => set.add('x', expression, { namespaces: { x: 'urn:x' } }));
    if (filter === undefined) return 'refused';
    const found: unknown[] = [];
    set.match(
      STANZA,
      (_, match) => found.push(match.nodes.length),
      (_, error) => found.push(error.code),
    );
    return JSON.stringify(found);
  });
  must(results[0] === results[1], `${String(results[0])} with the index, ${String(results[1])} without`);
}

/** An address is refused, or the same when it is read again. */
function jid(data: Buffer): void {
  const text = data.toString('utf8');
  const found = allowing(ours(/^USAGE_JID$/), () => JID.parse(text));
  if (found === undefined) return;
  const again = JID.parse(found.toString());
  must(again.toString() === found.toString() && again.equals(found), 'it is another address when it is read again');
  must(JID.equivalent(text, found.toString()), 'it is not equivalent to itself');
}

/** Values are read to the end or refused; nothing is read twice, nothing beyond the end. */
function der(data: Buffer): void {
  allowing(
    (error) => error instanceof DerError,
    () => {
      const walk = (reader: DerReader, depth: number): void => {
        while (!reader.done) {
          const value = reader.next();
          must(value.body.length <= data.length, 'a value longer than everything');
          if (value.tag === 0x06) readOid(value);
          if ((value.tag & 0x20) !== 0 && depth < 50) walk(DerReader.inside(value), depth + 1);
        }
      };
      walk(new DerReader(data), 0);
    },
  );
}

/** Messages of servers in a sign-in, the first byte says which. */
function sasl(data: Buffer): void {
  const message = data.subarray(1);
  const refused = ours(/^(SCRAM|DIGEST)_/);
  const kind = (data[0] ?? 0) % 4;
  if (kind === 0) {
    const first = allowing(refused, () => readServerFirst(message, 'abc', DEFAULT_ITERATION_LIMITS));
    if (first === undefined) return;
    must(first.nonce.startsWith('abc') && first.nonce.length > 3, 'a nonce that is not ours');
    must(first.iterations >= 4096 && first.iterations <= 1_000_000 && first.salt.length <= 1024, 'out of bounds');
  } else if (kind === 1) allowing(refused, () => readServerFinal(message));
  else if (kind === 2) {
    const challenge = allowing(refused, () => readChallenge(message));
    if (challenge !== undefined) must(challenge.nonce !== '', 'no nonce');
    allowing(refused, () => readResponseAuth(message));
  } else {
    const text = message.toString('latin1');
    const bytes = decodeBase64(text);
    if (bytes !== null && text !== '=') must(bytes.toString('base64') === text, 'two texts for the same bytes');
  }
}

/** Rows of a file that anything may have changed: only what was written comes out. */
function records(data: Buffer): void {
  const [queue = '', key = '', xmlns = '', xml = '', ...numbers] = data.toString('utf8').split('\0');
  const number = (index: number) => (numbers[index] === undefined ? null : Number(numbers[index]));
  const row = {
    seq: number(0),
    key,
    at: number(1),
    crc: number(2),
    xmlns,
    xml,
    handed: number(3),
    attempts: number(4),
  };
  const stanza = stanzaOf({ ...row, faults: number(5), duplicate: number(6), session: key, ordinal: number(7) }, queue);
  if (stanza !== null) must(stanza.xml === xml && stanza.key === key, 'something else comes out');
  allowing(
    (error) => error instanceof SyntaxError,
    () => sessionOf({ record: xml, crc: number(2) }, queue),
  );
}

export const TARGETS = { tokenizer, xpath, jid, der, sasl, records };
