import { afterEach, describe, expect, it } from 'vitest';
import { Connection, JabberNode, NodeFactory, xml, type Broker, type ConnectionOptions } from 'xmpp-broker';
import { problemsOf, row, type Row } from '../support/bad-input.js';
import { EMPTY_OBJECTS, FUNCTIONS, NUMBERS, STRINGS } from '../support/bad-values.js';

const brokers: Broker[] = [];

afterEach(() => {
  for (const broker of brokers.splice(0)) broker.halt();
});

function connection(options: Partial<ConnectionOptions> = {}): Connection {
  const made = new Connection({
    server: 'localhost',
    logger: false,
    connector: () => new Promise(() => undefined),
    ...options,
  });
  brokers.push(made.broker);
  return made;
}

const node = () => JabberNode.of(xml('message'));
const ELEMENTS = ['element', 'iq without id and child'] as const;

const CONNECTION: readonly Row[] = [
  row('new Connection(options)', /^new Connection\(\): /, [], (options) => new Connection(options)),
  row('new Connection({ server })', /server|host|domain/, ['word'], (server) => connection({ server })),
  row('new Connection({ ns })', /\bns\b/, ['undefined'], (ns) => connection({ ns })),
  row('new Connection({ localname })', /localname|domain/, ['undefined', 'word'], (localname) =>
    connection({ localname }),
  ),
  row('new Connection({ dialect })', /dialect/, ['undefined'], (dialect) => connection({ dialect })),
  row('new Connection({ log })', /log/, ['undefined', 'true', 'false', ...FUNCTIONS], (log) => connection({ log })),
  row('new Connection({ inboxLimit })', /inboxLimit/, ['undefined', 'one'], (value) =>
    connection({ inboxLimit: value }),
  ),
  row('connection.connect(options)', /connect\(/, ['undefined', ...EMPTY_OBJECTS], (options) =>
    connection().connect(options),
  ),
  row('connection.auth(secret)', /auth/, [], (secret) => connection({ ns: 'jabber:component:accept' }).auth(secret)),
  row('connection.auth(, password)', /auth/, [], (password) => connection().auth('alice', password, 'r')),
  row('connection.auth(, , resource)', /auth/, [], (resource) => connection().auth('alice', 'secret', resource)),
  row('connection.registerHandler(tag)', /tag|name|handler/i, STRINGS.slice(1), (tag) =>
    connection().registerHandler(tag, () => undefined),
  ),
  row('connection.registerHandler(, handler)', /registerHandler/, FUNCTIONS, (handler) =>
    connection().registerHandler('a', handler),
  ),
  row('connection.registerBeat(seconds)', /seconds|beat/i, ['one', 'fraction'], (seconds) =>
    connection().registerBeat(seconds, () => undefined),
  ),
  row('connection.registerBeat(, callback)', /function|callback|beat/i, FUNCTIONS, (callback) =>
    connection().registerBeat(1, callback),
  ),
  row('connection.process(seconds)', /process/, [], (seconds) => connection().process(seconds)),

  row('JabberNode.of(element)', /Element/, ELEMENTS, (element) => JabberNode.of(element)),
  row('node.attr(name, value)', /name/, ['word', 'long string'], (name) => node().attr(name, 'x')),
  row('node.attr(, value)', /value|text|written/, ['undefined', ...NUMBERS, ...STRINGS.slice(0, 4)], (value) =>
    node().attr('x', value),
  ),
  row('node.data(text)', /text|written/, ['undefined', ...NUMBERS, ...STRINGS.slice(0, 4)], (text) =>
    node().data(text),
  ),
  row('node.rawdata(source)', /./, ['undefined', ...STRINGS.slice(0, 4)], (source) => node().rawdata(source)),
  row('node.insertTag(node)', /node|name|Element/i, ['word', 'long string', ...ELEMENTS], (value) =>
    node().insertTag(value),
  ),
  row('node.insertTag(, namespace)', /namespace|attribute|written/, ['undefined', ...STRINGS.slice(0, 4)], (value) =>
    node().insertTag('a', value),
  ),
  row('new NodeFactory().newNode(name)', /name/, ['word', 'long string'], (name) => new NodeFactory().newNode(name)),
  row(
    'new NodeFactory().newNode(, namespace)',
    /namespace|attribute|written/,
    ['undefined', ...STRINGS.slice(0, 4)],
    (value) => new NodeFactory().newNode('a', value),
  ),
  row('new NodeFactory().newNodeFromStr(source)', /./, [], (source) => new NodeFactory().newNodeFromStr(source)),
];

describe('bad input of the Jabber::Connection way', () => {
  it.each(CONNECTION.map((one) => [one.call, one] as const))('%s', async (_, one) => {
    expect(await problemsOf(one)).toEqual([]);
  });
});
