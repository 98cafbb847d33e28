import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import * as library from 'xmpp-broker';
import {
  Broker,
  BrokerError,
  Connection,
  Delegation,
  Element,
  errorReply,
  fileTokenStore,
  fromDom,
  JABBERD14_COMPONENT,
  JID,
  parse,
  Privileges,
  reply,
  serveDisco,
  serialize,
  StanzaError,
  Text,
  toDom,
  xml,
  type BrokerOptions,
} from 'xmpp-broker';
import { outcome, problemsOf, row, type Row } from '../support/bad-input.js';
import {
  EMPTY_OBJECTS,
  FUNCTIONS,
  NUMBERS,
  OBJECTS,
  STRINGS,
  VALUE_NAMES,
  VALUES,
  type ValueName,
} from '../support/bad-values.js';

const brokers: Broker[] = [];

afterEach(() => {
  for (const broker of brokers.splice(0)) broker.halt();
});

const OPTIONS: BrokerOptions = {
  connectionType: JABBERD14_COMPONENT,
  host: '127.0.0.1',
  port: 1,
  domain: 'comp.localhost',
  password: 'secret',
  logger: false,
  reconnect: false,
  // Nothing is dialled: attempts wait here until their broker is halted.
  connector: () => new Promise(() => undefined),
};

function broker(options: Partial<BrokerOptions> = {}): Broker {
  const made = new Broker({ ...OPTIONS, ...options });
  brokers.push(made);
  return made;
}

const iq = (): Element => xml('iq', { type: 'get', to: 'a@b' }, xml('q', { xmlns: 'urn:x' }));
const message = (): Element => xml('message', { to: 'a@b', from: 'c@d' });

/** What an element can contain. */
const CHILDREN: readonly ValueName[] = [
  'undefined',
  'null',
  'false',
  ...NUMBERS,
  'empty string',
  'space',
  'word',
  'long string',
  'empty array',
  'array of strings',
  'element',
  'iq without id and child',
];

/** What each option takes. */
const OPTION_VALUES: Record<keyof BrokerOptions, readonly ValueName[]> = {
  connectionType: [],
  // Any other says something else than `domain`.
  jid: ['undefined'],
  domain: ['word'],
  host: ['undefined', 'word', 'long string'],
  // Without a connector of one's own, the dialect needs it.
  port: ['undefined', 'one'],
  // A component has none.
  websocket: ['undefined'],
  username: ['undefined', ...STRINGS.slice(1)],
  password: [...STRINGS.slice(1), ...FUNCTIONS],
  resource: ['undefined', ...STRINGS.slice(1)],
  alias: ['undefined', ...STRINGS.slice(1)],
  version: ['undefined', ...STRINGS.slice(1, 4)],
  xmlns: ['undefined', ...STRINGS.slice(1, 4)],
  stream: ['undefined', ...STRINGS.slice(1, 4)],
  tls: ['undefined', ...EMPTY_OBJECTS],
  reconnect: ['undefined', 'true', 'false', ...EMPTY_OBJECTS],
  timeouts: ['undefined', ...EMPTY_OBJECTS],
  liveness: ['undefined', 'false', ...EMPTY_OBJECTS],
  limits: ['undefined', ...EMPTY_OBJECTS],
  queue: ['undefined', ...EMPTY_OBJECTS],
  answerRequests: ['undefined', 'true', 'false'],
  acknowledge: ['undefined'],
  debug: ['undefined', 'true', 'false'],
  logger: ['false', 'undefined'],
  connector: ['undefined', ...FUNCTIONS],
};

const OPTION_ROWS = Object.entries(OPTION_VALUES).map(([name, takes]) =>
  row(`new Broker({ ${name} })`, new RegExp(name), takes, (value) => broker({ [name]: value as unknown })),
);

const ROWS: readonly Row[] = [
  row('new Broker(options)', /^new Broker\(\): /, [], (options) => new Broker(options)),
  row('new Connection(options)', /^new Connection\(\): /, [], (options) => new Connection(options)),
  ...OPTION_ROWS,

  row('broker.connect(options)', /connect\(/, ['undefined', ...EMPTY_OBJECTS], (value) => broker().connect(value)),
  row('broker.reconnect(options)', /connect\(/, ['undefined', ...EMPTY_OBJECTS], (value) => broker().reconnect(value)),
  row('broker.connect({ host })', /host/, ['undefined', ...STRINGS.slice(2, 4)], (host) => broker().connect({ host })),
  row('broker.connect({ port })', /port/, ['undefined', 'one'], (port) => broker().connect({ port })),
  row('broker.connect({ signal })', /signal/, ['undefined'], (signal) => broker().connect({ signal })),
  row('broker.shutdown(options)', /shutdown\(/, ['undefined', ...EMPTY_OBJECTS], (value) => broker().shutdown(value)),
  row('broker.shutdown({ timeoutMs })', /timeoutMs/, ['undefined', 'one', 'fraction'], (timeoutMs) =>
    broker().shutdown({ timeoutMs }),
  ),
  row('fileTokenStore(path)', /fileTokenStore\(\)/, [...STRINGS.slice(1, 4), 'lone surrogate'], (path) =>
    fileTokenStore(path),
  ),
  row('broker.shutdownOn(signal)', /shutdownOn\(/, [], (signal) => broker().shutdownOn(signal)),
  row('broker.output(node)', /element|iq/, ['element'], (node) => broker().output(node)),
  row('broker.output(, options)', /output\(\)/, ['undefined', ...EMPTY_OBJECTS], (options) =>
    broker().output(xml('presence', { to: 'a@b' }), options),
  ),
  row('broker.output(, { key })', /key/, ['undefined', 'word'], (key) =>
    broker().output(xml('presence', { to: 'a@b' }), { key }),
  ),
  row('broker.purgeQueue(select)', /purgeQueue/, ['undefined', ...FUNCTIONS], (value) => broker().purgeQueue(value)),
  row('broker.queue.send(select)', /queue\.send/, ['undefined', ...FUNCTIONS], (value) => broker().queue.send(value)),
  row('broker.queue.drop(select)', /drop/, ['undefined', ...FUNCTIONS], (value) => broker().queue.drop(value)),
  row('broker.queue.at(index)', /at\(/, NUMBERS, (value) => broker().queue.at(value)),
  row('broker.returnToSender(event)', /event/, STRINGS, (event) => broker().returnToSender(event, iq())),
  row('broker.returnToSender(, node)', /element|iq/, ['element'], (node) => broker().returnToSender('e', node)),
  row('broker.request(node)', /element|iq/, ['element'], (node) => broker().request(node)),
  row('broker.request(, options)', /request\(/, ['undefined', ...EMPTY_OBJECTS], (options) =>
    broker().request(iq(), options),
  ),
  row('broker.request(, { timeout })', /timeout/, ['undefined', 'one', 'fraction'], (timeout) =>
    broker().request(iq(), { timeout }),
  ),
  row('broker.request(, { signal })', /signal/, ['undefined'], (signal) => broker().request(iq(), { signal })),
  row('broker.trusted(stanza)', /trusted/, ['element', 'iq without id and child'], (value) =>
    broker().trusted(value, 'account'),
  ),
  row('broker.trusted(, kind)', /trusted/, [], (kind: 'account') => broker().trusted(message(), kind)),
  row('broker.trusted(, , options)', /trusted/, ['undefined', ...EMPTY_OBJECTS], (options) =>
    broker().trusted(message(), 'pep', options),
  ),
  row('broker.trusted(, , { from })', /JID/, ['undefined', 'word', 'address'], (from) =>
    broker().trusted(message(), 'pep', { from }),
  ),
  row('broker.trusted(, , { node })', /node/, ['undefined', ...STRINGS.slice(1)], (node) =>
    broker().trusted(message(), 'pep', { node }),
  ),
  row('broker.trusted(, , { queryid })', /queryid/, STRINGS.slice(1), (queryid) =>
    broker().trusted(message(), 'mam', { queryid }),
  ),
  row('broker.subscribe(event)', /event/, STRINGS, (event) => broker().subscribe(event, () => undefined)),
  row('broker.subscribe(, handler)', /handler/, FUNCTIONS, (handler) => broker().subscribe('e', handler)),
  row('broker.subscribe(, , options)', /subscri/, ['undefined', ...EMPTY_OBJECTS], (options) =>
    broker().subscribe('e', () => undefined, options),
  ),
  row('broker.subscribe(, , { once })', /once/, ['undefined', 'true', 'false'], (once) =>
    broker().subscribe('e', () => undefined, { once }),
  ),
  row('broker.subscribe(, , { signal })', /signal/, ['undefined', 'aborted signal'], (signal) =>
    broker().subscribe('e', () => undefined, { signal }),
  ),
  row('broker.post(command)', /input event/, [], (command: 'halt') => broker().post(command)),
  row("broker.post('xpath_filter', command)", /xpath_filter/, [], (command) =>
    broker().post('xpath_filter', command, 'e', '/a'),
  ),
  row("broker.post('connect', host)", /host/, ['undefined', ...STRINGS.slice(2, 4)], (host) =>
    broker().post('connect', host),
  ),
  row("broker.post('connect', , port)", /port/, ['undefined', 'one'], (port) => broker().post('connect', 'h', port)),

  row('broker.filters.add(event)', /event/, STRINGS, (event) => broker().filters.add(event, '/a')),
  row('broker.filters.add(, expression)', /expression|XPath/i, ['word'], (value) => broker().filters.add('e', value)),
  row('broker.filters.add(, , options)', /filter/, ['undefined', ...EMPTY_OBJECTS], (options) =>
    broker().filters.add('e', '/a', options),
  ),
  row('broker.filters.add(, , { namespaces })', /namespaces|prefix/, ['undefined', ...EMPTY_OBJECTS], (namespaces) =>
    broker().filters.add('e', '/a', { namespaces }),
  ),
  row(
    'broker.filters.add(, , { variables })',
    /variable/,
    ['undefined', ...EMPTY_OBJECTS, 'object with an unknown key'],
    (variables) => broker().filters.add('e', '/a', { variables }),
  ),
  row('broker.filters.explain(event)', /event|filter/, [], (event) => broker().filters.explain(event)),
  row('broker.filters.explainExpression(expression)', /expression|XPath/i, ['word'], (expression) =>
    broker().filters.explainExpression(expression),
  ),
  row('broker.filters.explainExpression(, options)', /filter/, ['undefined', ...EMPTY_OBJECTS], (options) =>
    broker().filters.explainExpression('/a', options),
  ),
  row('broker.filters.test(expression)', /expression|XPath/i, ['word'], (expression) =>
    broker().filters.test(expression, '<a/>'),
  ),
  row('broker.filters.test(, stanza)', /element/, ['element', 'iq without id and child'], (stanza) =>
    broker().filters.test('/a', stanza),
  ),
  row('broker.filters.test(, , options)', /filter/, ['undefined', ...EMPTY_OBJECTS], (options) =>
    broker().filters.test('/a', '<a/>', options),
  ),
  row('broker.filters.remove(event)', /event/, STRINGS, (event) => broker().filters.remove(event)),

  row('broker.events.publish(event)', /event/, STRINGS, (event) => broker().events.publish(event)),
  row('broker.events.share(event)', /event/, STRINGS, (event) => broker().events.share(event)),
  row('broker.events.subscribe(event)', /event/, STRINGS, (event) => broker().events.subscribe(event, () => undefined)),
  row('broker.events.once(event)', /event/, STRINGS, (event) => broker().events.once(event)),
  row('broker.events.once(, options)', /once/, ['undefined', ...EMPTY_OBJECTS], (options) =>
    broker().events.once('e', options),
  ),
  row('broker.events.once(, { signal })', /signal|aborted/, ['undefined'], (signal) =>
    broker().events.once('e', { signal }),
  ),
  row('broker.events.iterate(event)', /event/, STRINGS, (event) => broker().events.iterate(event)),
  row('broker.events.iterate(, options)', /iterat/, ['undefined', ...EMPTY_OBJECTS], (options) =>
    broker().events.iterate('e', options),
  ),
  row('broker.events.iterate(, { limit })', /limit/, ['undefined', 'one'], (limit) =>
    broker().events.iterate('e', { limit }),
  ),
  row('broker.events.iterate(, { signal })', /signal/, ['undefined', 'aborted signal'], (signal) =>
    broker().events.iterate('e', { signal }),
  ),
  row('broker.events.cancel(subscription)', /cancel|subscription/, STRINGS, (subject) =>
    broker().events.cancel(subject, () => undefined),
  ),
  row('broker.events.cancel(, handler)', /handler/, FUNCTIONS, (handler) => broker().events.cancel('e', handler)),
  row('broker.events.subscribers(event)', /event/, STRINGS, (event) => broker().events.subscribers(event)),

  row('broker.match(expression)', /expression|XPath/i, ['word'], (expression) =>
    broker().match(expression, () => undefined),
  ),
  row('broker.match(, handler)', /handler/, FUNCTIONS, (handler) => broker().match('/a', handler)),
  row('broker.match(, , options)', /^match\(\): /, ['undefined', ...EMPTY_OBJECTS], (options) =>
    broker().match('/a', () => undefined, options),
  ),
  row('broker.match(, , { concurrency })', /concurrency/, ['undefined', 'one'], (concurrency) =>
    broker().match('/a', () => undefined, { concurrency }),
  ),
  row('broker.answer(type)', /answer\(\)/, [], (type: 'get') => broker().answer(type, { namespace: 'a' }, () => null)),
  row('broker.answer(, target)', /^answer\('get'\): /, [], (target) => broker().answer('get', target, () => null)),
  row('broker.answer(, , handler)', /answer\(\)/, FUNCTIONS, (handler) =>
    broker().answer('get', { namespace: 'a' }, handler),
  ),
  row('broker.answer(, , , options)', /^answer\('get'\): /, ['undefined', ...EMPTY_OBJECTS], (options) =>
    broker().answer('get', { namespace: 'a' }, () => null, options),
  ),
  row('broker.answer(, , , { timeout })', /timeout/, ['undefined', 'one', 'fraction'], (timeout) =>
    broker().answer('get', { namespace: 'a' }, () => null, { timeout }),
  ),
  row('broker.clientState(state)', /^clientState\(\): the state must be 'active' or 'inactive'/, [], (state) =>
    broker().clientState(state),
  ),
  row('broker.answerLater(iq)', /answerLater\(\)/, [], (value) => {
    broker().answerLater(value);
  }),
  row('broker.answerLater(, options)', /answerLater\(\)/, [], (options) => {
    broker().answerLater(iq(), options);
  }),
  row('serveDisco(, options)', /^serveDisco\(\): /, [], (options) => serveDisco(broker(), options)),
  row('new Privileges(, options)', /^new Privileges\(\): /, ['undefined', ...EMPTY_OBJECTS], (options) => {
    return new Privileges(broker(), options);
  }),
  row('new Delegation(, options)', /^new Delegation\(\): /, [], (options) => new Delegation(broker(), options)),

  row('xml(name)', /name/, ['word', 'long string'], (name) => xml(name)),
  row(
    'xml(, attributes)',
    /attribute/,
    ['undefined', 'null', ...EMPTY_OBJECTS, 'object with an unknown key', 'address'],
    (value) => xml('a', value),
  ),
  row(
    'xml(, { attribute })',
    /attribute|written/,
    ['undefined', 'null', 'true', 'false', ...NUMBERS, 'empty string', 'space', 'word', 'long string', 'address'],
    (value) => xml('a', { x: value }),
  ),
  row('xml(, , child)', /child|written/, CHILDREN, (child) => xml('a', {}, child)),
  row('parse(source)', /./, [], (source) => parse(source)),
  row('parse(, limits)', /limit/, ['undefined', ...EMPTY_OBJECTS], (limits) => parse('<a/>', limits)),
  row('serialize(element)', /Element/, ['element', 'iq without id and child'], (element) => serialize(element)),
  row('serialize(, scope)', /scope/, ['undefined', ...OBJECTS], (scope) => serialize(message(), scope)),
  row('reply(node)', /stanza|reply/, ['element', 'iq without id and child'], (node) => reply(node)),
  row('reply(, child)', /child|written/, CHILDREN, (child) => reply(message(), child)),
  row('errorReply(node)', /stanza|reply/, ['element', 'iq without id and child'], (node) =>
    errorReply(node, 'bad-request'),
  ),
  row('errorReply(, condition)', /condition/, [], (condition) => errorReply(message(), condition)),
  row('errorReply(, , options)', /options|errorReply/, ['undefined', ...EMPTY_OBJECTS], (options) =>
    errorReply(message(), 'bad-request', options),
  ),
  row('errorReply(, , { type })', /type/, ['undefined'], (type) => errorReply(message(), 'bad-request', { type })),
  row('errorReply(, , { text })', /text/, ['undefined', ...STRINGS.slice(0, 4)], (text) =>
    errorReply(message(), 'bad-request', { text }),
  ),
  row('errorReply(, , { lang })', /lang|attribute|written/, ['undefined', ...STRINGS.slice(0, 4)], (lang) =>
    errorReply(message(), 'bad-request', { text: 'x', lang }),
  ),
  row('errorReply(, , { by })', /by|written/, ['undefined', ...STRINGS.slice(0, 4)], (by) =>
    errorReply(message(), 'bad-request', { by }),
  ),
  row('errorReply(, , { address })', /address|written/, ['undefined', ...STRINGS.slice(0, 4)], (address) =>
    errorReply(message(), 'gone', { address }),
  ),
  row(
    'errorReply(, , { appCondition })',
    /appCondition/,
    ['undefined', 'element', 'iq without id and child'],
    (value) => errorReply(message(), 'bad-request', { appCondition: value }),
  ),
  row('toDom(element)', /Element/, ['element', 'iq without id and child'], (element) => toDom(element)),
  row('fromDom(node)', /DOM|element/, ['element', 'iq without id and child'], (node) => fromDom(node)),

  row('new JID(local)', /local part/, ['undefined', 'null', 'word'], (local) => new JID(local, 'd')),
  row('new JID(, domain)', /domain/, ['word'], (domain) => new JID(null, domain)),
  row(
    'new JID(, , resource)',
    /resource/,
    ['undefined', 'null', 'space', 'word'],
    (resource) => new JID(null, 'd', resource),
  ),
  row('JID.parse(text)', /JID/, ['word'], (text) => JID.parse(text)),
  row('JID.escape(name)', /name/i, STRINGS.slice(2), (name) => JID.escape(name)),
  row('JID.unescape(local)', /local part/, STRINGS, (local) => JID.unescape(local)),
  row('jid.withResource(resource)', /resource/, ['undefined', 'null', 'space', 'word'], (resource) =>
    new JID(null, 'd').withResource(resource),
  ),

  row('element.setAttribute(name)', /name/, ['word', 'long string'], (name) => message().setAttribute(name, 'x')),
  row('element.setAttribute(, value)', /value/, STRINGS.slice(0, 4), (value) => message().setAttribute('x', value)),
  row('element.setAttributeNS(namespace)', /namespace|written/, ['space', 'word', 'long string'], (uri) =>
    message().setAttributeNS(uri, 'p:x', 'v'),
  ),
  row('element.setAttributeNS(, name)', /name/, [], (name) => message().setAttributeNS('urn:x', name, 'v')),
  row('element.setAttributeNS(, , value)', /value/, STRINGS.slice(0, 4), (value) =>
    message().setAttributeNS('urn:x', 'p:x', value),
  ),
  row('element.appendChild(node)', /Element/, ['element', 'iq without id and child'], (node) =>
    message().appendChild(node),
  ),
  row('element.removeChild(node)', /child/, [], (node) => message().removeChild(node)),
  row('element.appendText(data)', /text/, STRINGS.slice(0, 4), (data) => {
    message().appendText(data);
  }),
  row('new Text(data)', /text/i, STRINGS, (data) => new Text(data)),

  row('new StanzaError(stanza)', /stanza|Element|condition/i, ['element', 'iq without id and child'], (stanza) => {
    return new StanzaError(stanza);
  }),
];

describe('bad input of public functions gets a BrokerError or TypeError that names the argument', () => {
  it.each(ROWS.map((one) => [one.call, one] as const))('%s', async (_, one) => {
    expect(await problemsOf(one)).toEqual([]);
  });

  it('new BrokerError(, , facts)', () => {
    for (const facts of [undefined, null, 'word', 1]) {
      expect(() => new BrokerError('X', 'x', facts as never)).toThrow(/the facts of a BrokerError/);
    }
  });

  it('the codes of bad arguments begin with USAGE_ or XML_, and none is worth another try', async () => {
    let seen = 0;
    for (const { run } of ROWS) {
      const found = await outcome(() => run(Symbol('bad') as never));
      if (found.kind !== 'refused' || !(found.error instanceof BrokerError)) continue;
      seen += 1;
      expect(found.error).toMatchObject({ retryable: false, origin: 'local' });
      expect(found.error.code).toMatch(/^(USAGE_|XML_)/);
    }
    expect(seen).toBeGreaterThan(80);
  });
});

describe('looking something up that is no name finds nothing, and converts nothing', () => {
  const element = () => xml('message', { to: 'a@b' }, xml('body', {}, 'x'));
  const LOOKUPS: readonly (readonly [call: string, run: (value: never) => unknown, nothing: unknown])[] = [
    ['element.is(name)', (name) => element().is(name), false],
    ['element.getChild(name)', (name) => element().getChild(name), null],
    ['element.getChildren(name)', (name) => element().getChildren(name), []],
    ['element.getChildText(name)', (name) => element().getChildText(name), null],
    ['element.getAttribute(name)', (name) => element().getAttribute(name), null],
    ['element.getAttributeNode(name)', (name) => element().getAttributeNode(name), null],
    ['element.getAttributeNS(, name)', (name) => element().getAttributeNS(null, name), null],
    ['element.getAttributeNodeNS(, name)', (name) => element().getAttributeNodeNS(null, name), null],
    ['element.hasAttribute(name)', (name) => element().hasAttribute(name), false],
    ['element.hasAttributeNS(, name)', (name) => element().hasAttributeNS(null, name), false],
    ['element.getElementsByTagName(name)', (name) => element().getElementsByTagName(name), []],
    ['element.getElementsByTagNameNS(, name)', (name) => element().getElementsByTagNameNS(null, name), []],
    ['element.lookupNamespaceURI(prefix)', (prefix) => element().lookupNamespaceURI(prefix), null],
    ['element.removeAttribute(name)', (name) => element().removeAttribute(name), undefined],
    ['jid.equals(other)', (other) => new JID('x', 'y').equals(other), false],
    ['JID.equivalent(a)', (a) => JID.equivalent(a, 'x@y'), false],
    ['JID.equivalent(, b)', (b) => JID.equivalent('x@y', b), false],
  ];

  it.each(LOOKUPS)('%s', (_, run, nothing) => {
    for (const name of VALUE_NAMES) expect(run(VALUES[name]() as never), name).toEqual(nothing);
  });
});

describe('the table is complete', () => {
  /** Functions without arguments, and those of the library itself, marked internal. */
  const WITHOUT = [
    ...[
      'broker.halt',
      'broker.forgetToken',
      'broker.stats',
      'broker.openQueue',
      'broker.events.listing',
      'jid.bare',
      'jid.toString',
      'jid.toJSON',
    ],
    ...['element.hasChildNodes', 'element.hasAttributes', 'element.descendants', 'element.clone', 'element.toString'],
    ...['element.declareDefault', 'element.attributeName', 'element.addAttribute'],
    ...[
      'broker.filters.find',
      'broker.filters.findMore',
      'broker.filters.deliver',
      'broker.queue.push',
      'broker.queue.check',
      'broker.queue.fits',
      'broker.queue.returnToFront',
      'broker.queue.returnToBack',
      'broker.queue.expire',
    ],
    ...['broker.queue.take', 'broker.queue.remove', 'broker.queue.fits'],
  ];
  /** Made by the library only; programs ask `instanceof`. */
  const CLASSES = ['Element', 'Attr', 'Document', 'JabberNode', 'NodeFactory'];
  /** These have a table of their own. */
  const ELSEWHERE = ['RouterControl', 'routeOf', 'Connection', 'JabberNode', 'NodeFactory'];

  const source = readFileSync(import.meta.filename, 'utf8');
  const hasRow = (name: string) => source.includes(`'${name}(`) || source.includes(`"${name}(`);

  function methodsOf(name: string, object: object): string[] {
    const prototype = Object.getPrototypeOf(object) as object;
    return Object.entries(Object.getOwnPropertyDescriptors(prototype))
      .filter(([method, { value }]) => method !== 'constructor' && typeof value === 'function')
      .map(([method]) => `${name}.${method}`);
  }

  it('every exported function and every method has a row', () => {
    const one = broker();
    const exported = Object.entries(library as Record<string, unknown>)
      .filter(([name, value]) => typeof value === 'function' && ![...CLASSES, ...ELSEWHERE].includes(name))
      .map(([name, value]) => (String(value).startsWith('class') ? `new ${name}` : name))
      .filter((name) => name !== 'new BrokerError');
    const names = [
      ...exported,
      ...methodsOf('broker', one),
      ...methodsOf('broker.events', one.events),
      ...methodsOf('broker.filters', one.filters),
      ...methodsOf('broker.queue', one.queue),
      ...methodsOf('jid', new JID(null, 'd')),
      ...methodsOf('element', xml('a')),
      ...['JID.parse', 'JID.equivalent', 'JID.escape', 'JID.unescape'],
    ];
    expect(names.filter((name) => !WITHOUT.includes(name) && !hasRow(name))).toEqual([]);
  });
});
