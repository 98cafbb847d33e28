// What the compiler takes of programs, and what it refuses: names of events above all (faults F).
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ROOT } from './support/markdown.js';
import { typeErrors } from './support/type-check.js';

const PRELUDE = `
import {
  Broker, COMPONENT, Delegation, Privileges, RouterControl, StanzaError, serveDisco, xml,
  type BrokerOptions, type Closed, type Element, type FilterMatch, type Matching, type Ticket,
} from 'xmpp-broker';
import { Room } from 'xmpp-broker/muc';
interface Mine { chat: FilterMatch; pong: Element; door: { room: string }; anything: unknown }
type Also = { chat: FilterMatch; pong: Element };
declare const options: BrokerOptions;
declare const mine: Broker<Mine>;
declare const also: Broker<Also>;
declare const plain: Broker;
declare const iq: Element;
declare const name: string;
declare const known: boolean;
const use = (..._values: unknown[]): void => undefined;
`;

/** What the compiler has to take. */
const TAKEN: readonly [what: string, program: string][] = [
  ['a filter under an event with matches', `mine.filters.add('chat', '/message'); mine.filters.remove('chat');`],
  ['a filter under an event with any payload', `mine.filters.add('anything', '/message')`],
  ['a filter under any name, without a map', `plain.filters.add('chta', '/message'); plain.filters.add(name, '/*')`],
  ['a request under an event with elements', `const asked: Ticket = mine.returnToSender('pong', iq); use(asked)`],
  ['a request under any name, without a map', `plain.returnToSender('x', iq); plain.returnToSender(name, iq)`],
  ['filters and requests by name of the command', `mine.post('xpath_filter', 'add', 'chat', '/message')`],
  ['requests by name of the command', `mine.post('return_to_sender', 'pong', iq)`],
  ['status events, with a map', `mine.subscribe('PCJ_READY', ({ jid, resumed }) => use(jid.domain, resumed))`],
  ['status events, without a map', `plain.subscribe('PCJ_READY', ({ jid, resumed }) => use(jid.domain, resumed))`],
  ['events of the map', `mine.subscribe('door', ({ room }) => use(room.length))`],
  ['names of a program’s own, without a map', `plain.subscribe('door', ({ room }: Mine['door']) => use(room))`],
  ['names like those of status events', `plain.subscribe('READY', use); plain.subscribe('RTS_answer', use)`],
  ['names that are known at run time', `plain.subscribe(name, use); plain.events.once(name).then(use)`],
  [
    'one of several status events',
    `for (const event of ['PCJ_CONNECTFAIL', 'PCJ_SSLFAIL'] as const) mine.subscribe(event, ({ code }) => use(code))`,
  ],
  [
    'the bus, with a map',
    `mine.events.publish('door').fire({ room: 'hall' }); mine.events.once('PCJ_READY').then(({ jid }) => use(jid.domain))`,
  ],
  [
    'the bus, without a map',
    `plain.events.publish('x').fire(3); plain.events.once('PCJ_READY').then(({ jid }) => use(jid.domain))`,
  ],
  ['a map of every name', `new Broker<Record<string, unknown>>(options).subscribe('x', (n: number) => use(n))`],
  ['any broker, of a map that is an interface', `const any: Broker = mine; use(any)`],
  ['any broker, of a map that is a type', `const any: Broker = also; use(any)`],
  ['any broker, as it is made', `const any: Broker = new Broker<Mine>(options); use(any)`],
  ['a broker of more events than are wanted', `const some: Broker<{ chat: FilterMatch }> = mine; use(some)`],
  [
    'a plug-in for any broker',
    `function plugin(broker: Broker) {
       broker.subscribe('PCJ_READY', ({ jid }) => use(jid.domain));
       broker.match('/iq', ({ node }) => use(node.localName));
       broker.filters.add('plugin: seen', '/iq');
       return broker.events.publish('plugin: done');
     }
     use(plugin(mine), plugin(also), plugin(plain))`,
  ],
  [
    'a plug-in that is generic',
    `function plugin<Events extends object>(broker: Broker<Events>): Broker {
       broker.subscribe('PCJ_READY', ({ jid }) => use(jid.domain));
       return broker;
     }
     use(plugin(mine), plugin(plain))`,
  ],
  [
    'parts of the library that take any broker',
    `serveDisco(mine, { identities: [{ category: 'client', type: 'bot' }] })`,
  ],
  [
    'helpers that take any broker',
    `use(new Privileges(mine), new Delegation(mine, { handlers: {} }), new RouterControl(mine), new Room(mine, 'a@b', { nick: 'c' }))`,
  ],
  [
    'undefined for every option',
    `new Broker({ connectionType: COMPONENT, domain: 'a.b', port: known ? 1 : undefined, password: 'x' })`,
  ],
  [
    'undefined inside options',
    `new Broker({ ...options, tls: { ca: known ? 'x' : undefined }, reconnect: { maxDelayMs: undefined } })`,
  ],
  [
    'why a link ended, when not clean',
    `mine.subscribe('PCJ_SOCKETDISCONNECT', (end) => use(end.clean ? 0 : end.error.code.length))`,
  ],
  [
    'why a link ended, taken apart',
    `plain.subscribe('PCJ_SOCKETDISCONNECT', ({ clean, error }) => { if (!clean) use(error.code.length) })`,
  ],
  ['why a broker ended', `void mine.closed.then((end: Closed) => use(end.clean || end.error.code.length))`],
  [
    'match(): the payload is a match',
    `const matching: Matching = mine.match('/message', ({ node, nodes }) => use(node.localName, nodes.length)); matching.cancel()`,
  ],
  [
    'match(): options',
    `plain.match('/a:b', async () => undefined, { namespaces: { a: 'urn:a' }, variables: { v: 1 }, concurrency: 2, signal: AbortSignal.timeout(1) })`,
  ],
  [
    'answer(): an element, now or later, or nothing',
    `
     plain.answer('get', { namespace: 'urn:a' }, (payload, iq) => xml(payload.localName, { of: iq.getAttribute('from') }));
     plain.answer('get', { namespace: 'urn:b', name: 'b' }, async () => xml('a'));
     plain.answer('set', { namespace: 'urn:c', name: undefined }, () => undefined, { timeout: 1_000 });
     plain.answer('set', { namespace: 'urn:d' }, () => { throw new StanzaError('forbidden', { text: 'no' }) }).cancel()`,
  ],
  [
    'serveDisco(): what it gives',
    `const disco = serveDisco(plain, { identities: [{ category: 'client', type: 'bot' }], node: 'https://a', items: () => [] }); plain.output(xml('presence', {}, disco.caps()))`,
  ],
];

/** What it has to refuse, and what it says. */
const REFUSED: readonly [what: string, program: string, says: RegExp][] = [
  ['a filter under a name that is misspelt', `mine.filters.add('chta', '/message')`, /"chta".*"chat"/],
  ['a filter under an event of another payload', `mine.filters.add('door', '/message')`, /"door".*"chat"/],
  ['a filter under a request’s event', `mine.filters.add('pong', '/message')`, /"pong".*"chat"/],
  ['a filter under a status event', `mine.filters.add('PCJ_READY', '/message')`, /"PCJ_READY"/],
  ['a filter under a status event, without a map', `plain.filters.add('PCJ_READY', '/message')`, /"PCJ_READY"/],
  ['removing filters of a name that is misspelt', `mine.filters.remove('chta')`, /"chta"/],
  ['a request under a name that is misspelt', `mine.returnToSender('pnog', iq)`, /"pnog".*"pong"/],
  ['a request under a filter’s event', `mine.returnToSender('chat', iq)`, /"chat".*"pong"/],
  ['a request under a status event, without a map', `plain.returnToSender('PCJ_RTS_FINISH', iq)`, /"PCJ_RTS_FINISH"/],
  ['a command with a misspelt event', `mine.post('xpath_filter', 'add', 'chta', '/message')`, /"chta"/],
  ['a command with an event of another payload', `mine.post('return_to_sender', 'chat', iq)`, /"chat"/],
  ['a misspelt command', `mine.post('purge_quue')`, /"purge_quue"/],
  ['a misspelt event', `mine.subscribe('dor', use)`, /"dor"/],
  ['a misspelt status event, with a map', `mine.subscribe('PCJ_REDY', use)`, /"PCJ_REDY".*"PCJ_/],
  ['a misspelt status event, without a map', `plain.subscribe('PCJ_REDY', use)`, /"PCJ_REDY".*"PCJ_/],
  ['a misspelt status event to wait for', `void plain.events.once('PCJ_REDY')`, /"PCJ_REDY".*"PCJ_/],
  ['a misspelt status event to iterate', `use(plain.events.iterate('PCJ_REDY'))`, /"PCJ_REDY".*"PCJ_/],
  ['a misspelt status event to cancel', `plain.events.cancel('PCJ_REDY', use)`, /PCJ_REDY/],
  ['publishing a status event, with a map', `mine.events.publish('PCJ_READY')`, /"PCJ_READY"/],
  ['publishing a status event, without a map', `plain.events.publish('PCJ_READY')`, /"PCJ_READY"/],
  ['sharing a status event', `plain.events.share('PCJ_X')`, /"PCJ_X"/],
  ['firing another payload', `mine.events.publish('door').fire(3)`, /number/],
  ['a handler of another payload', `mine.subscribe('chat', (n: number) => n)`, /FilterMatch/],
  ['a handler of another payload of a status event', `plain.subscribe('PCJ_READY', (n: number) => n)`, /number/],
  ['a broker of fewer events than are wanted', `const more: Broker<{ other: Element }> = mine; use(more)`, /other/],
  ['a broker of other payloads than are wanted', `const more: Broker<{ chat: Element }> = mine; use(more)`, /chat/],
  [
    'an error of what ended well',
    `mine.subscribe('PCJ_SOCKETDISCONNECT', (end) => { if (end.clean) use(end.error.code) })`,
    /undefined/,
  ],
  [
    'an error of what may have ended well',
    `mine.subscribe('PCJ_SOCKETDISCONNECT', ({ error }) => use(error.code))`,
    /undefined/,
  ],
  ['a misspelt option', `new Broker({ ...options, pasword: 'x' })`, /'pasword'/],
  ['match() of no handler', `plain.match('/iq')`, /2-3 arguments/],
  ['match() with a handler of another payload', `plain.match('/iq', (n: number) => n)`, /FilterMatch/],
  ['match() with a misspelt option', `plain.match('/iq', use, { namespace: {} })`, /'namespace'/],
  ['match() once', `plain.match('/iq', use, { once: true })`, /'once'/],
  ['answer() of results', `plain.answer('result', { namespace: 'urn:a' }, () => undefined)`, /"result"/],
  ['answer() without a namespace', `plain.answer('get', { name: 'query' }, () => undefined)`, /namespace/],
  [
    'answer() with what is no payload',
    `plain.answer('get', { namespace: 'urn:a' }, () => ({ version: 1 }))`,
    /version/,
  ],
  ['a StanzaError of no condition', `throw new StanzaError('forbiden')`, /"forbiden"/],
  ['serveDisco() of no identity', `serveDisco(plain, { features: [] })`, /identities/],
  ['serveDisco() of half an identity', `serveDisco(plain, { identities: [{ category: 'client' }] })`, /type/],
];

/** What the compiler says of programs, by their place in the list. */
function errorsOf(programs: readonly string[]): string[][] {
  const found = typeErrors(
    programs.map((program, i) => ({
      name: `program ${String(i)}`,
      source: `${PRELUDE}\n${program};\n`,
      lines: [],
      stays: false,
      until: [],
      typesOnly: true,
    })),
  );
  return programs.map((_, i) => found.filter((line) => line.startsWith(`program ${String(i)}:`)));
}

describe('faults F: what the compiler says of programs', () => {
  const errors = errorsOf([...TAKEN, ...REFUSED].map(([, program]) => program));

  it.each(TAKEN.map(([what], i) => ({ what, i })))('takes: $what', ({ i }) => {
    expect(errors[i]).toEqual([]);
  });

  it.each(REFUSED.map(([what, , says], i) => ({ what, says, i: i + TAKEN.length })))(
    'refuses: $what',
    ({ says, i }) => {
      expect(errors[i]).toHaveLength(1);
      expect(errors[i]?.[0]).toMatch(says);
    },
  );
});

it('F: declarations have nothing that is internal', () => {
  const { fileNames, options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(`${ROOT}/tsconfig.build.json`, (path) => ts.sys.readFile(path)).config,
    ts.sys,
    ROOT,
  );
  const internal = fileNames.filter((path) => /@internal/.test(ts.sys.readFile(path) ?? ''));
  const program = ts.createProgram(internal, options);
  const written = internal.map((path) => {
    let text = '';
    program.emit(program.getSourceFile(path), (_, declaration) => (text += declaration), undefined, true);
    return text;
  });
  const all = written.join('\n');
  expect(all).toContain('class Ticket');
  expect(all).not.toMatch(/@internal|markSent|expectNoAck|takeUnacked/);
});
