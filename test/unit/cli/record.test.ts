import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  Broker,
  COMPONENT,
  LEGACY,
  ROUTER,
  XMPP,
  xml,
  type BrokerOptions,
  type Element,
  type FastToken,
  type TokenStore,
} from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { Recorder } from '../../../src/cli/recorder.js';
import { command, TestTerminal } from './terminal.js';

const PASSWORD = 'pass-r0m30-word';
const ROOM = 'room-s3cret';

let server: LoopbackServer;
let folder: string;
let count = 0;
const fresh = () => join(folder, `recording-${String(++count)}.jsonl`);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-record-'));
  server = await LoopbackServer.start({
    domain: 'localhost',
    accounts: { juliet: PASSWORD, romeo: PASSWORD },
    components: { 'echo.localhost': PASSWORD },
    routerUsers: { jabberd: PASSWORD },
    sasl2: {},
  });
  writeFileSync(join(folder, 'ca.pem'), server.ca);
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const place = (port: number) => ({ host: '127.0.0.1', port, password: PASSWORD, logger: false as const });
const inClear = { tls: { policy: 'disabled' as const } };
const ROMEO = () => ({
  connectionType: XMPP,
  jid: 'romeo@localhost',
  ...place(server.ports.client),
  tls: { ca: server.ca },
});

/** What a program sees and does behind READY: it is the same program each time. */
async function program(broker: Broker): Promise<string[]> {
  const seen: string[] = [];
  broker.subscribe('PCJ_NODERECEIVED', (node) => void seen.push(node.toString()));
  await broker.connect();
  const own = broker.jid?.toString() ?? '';
  broker.output(xml('message', { to: own, from: own, id: 'fixed' }, xml('body', {}, 'to myself')));
  const disco = xml('query', { xmlns: 'http://jabber.org/protocol/disco#items' });
  const answer = await broker.request(xml('iq', { type: 'get', to: 'localhost', from: own }, disco));
  seen.push(`answered: ${answer.toString()}`);
  await broker.shutdown();
  // Ids of requests are new each time.
  return seen.map((text) => text.replaceAll(/ id=(['"])(?!fixed)[^'"]*\1/g, ''));
}

let token: FastToken | null = null;
const store: TokenStore = { load: () => token, save: (_account, next) => void (token = next) };

const DIALECTS: readonly (readonly [string, () => BrokerOptions])[] = [
  [
    'XMPP',
    () => ({ connectionType: XMPP, jid: 'juliet@localhost', ...place(server.ports.client), tls: { ca: server.ca } }),
  ],
  [
    'XMPP in clear',
    () => ({ connectionType: XMPP, jid: 'juliet@localhost', ...place(server.ports.client), ...inClear }),
  ],
  [
    'PLAIN',
    () => ({
      connectionType: XMPP.with({ mechanisms: ['PLAIN'], sasl2: 'off' }),
      jid: 'juliet@localhost',
      ...place(server.ports.client),
      tls: { ca: server.ca },
    }),
  ],
  // The first one gets it, the other signs in with it.
  ...['for a token', 'with a token'].map(
    (name) =>
      [
        name,
        () => ({
          connectionType: XMPP.with({ fast: { store } }),
          jid: 'juliet@localhost',
          ...place(server.ports.client),
          tls: { ca: server.ca },
        }),
      ] as const,
  ),
  ...(['digest', 'plaintext'] as const).map(
    (method) =>
      [
        `LEGACY ${method}`,
        () => ({
          connectionType: LEGACY.with({ insist: true }),
          jid: 'juliet@localhost/old',
          ...place(server.ports.client),
          ...(method === 'digest' ? inClear : { tls: { ca: server.ca } }),
        }),
      ] as const,
  ),
  ['COMPONENT', () => ({ connectionType: COMPONENT, jid: 'echo.localhost', ...place(server.ports.component) })],
  [
    'ROUTER',
    () => ({
      connectionType: ROUTER,
      domain: 'service.localhost',
      username: 'jabberd',
      ...place(server.ports.router),
      ...inClear,
    }),
  ],
];

/** Elements whose content signs somebody in, or is what a password was proved with. */
const SECRETS = new Set([
  'auth',
  'response',
  'challenge',
  'success',
  'handshake',
  'password',
  'digest',
  'hash',
  'token',
]);
SECRETS.add('initial-response').add('additional-data');

/** Notes every secret in an element that crosses the wire. */
function collect(element: Element, secrets: Set<string>): void {
  for (const child of element.children) collect(child, secrets);
  if (!SECRETS.has(element.localName)) return;
  const { textContent } = element;
  if (element.children.length === 0 && textContent !== '') secrets.add(textContent);
  const token = element.getAttribute('token');
  if (token !== null) secrets.add(token);
}

describe.each(DIALECTS)('a stream of %s', (name, options) => {
  test('is written down without a secret, and played to the same program', async () => {
    const lines: string[] = [];
    const secrets = new Set<string>([PASSWORD]);
    if (token !== null) secrets.add(token.token);
    const watched = [
      server.subscribe('received', ({ element }) => collect(element, secrets)),
      server.subscribe('sent', ({ xml: sent }) => {
        if (typeof sent !== 'string') collect(sent, secrets);
      }),
    ];
    const recorder = new Recorder((line) => void lines.push(line));
    const broker = new Broker(recorder.options({ ...options(), reconnect: false }));
    recorder.follow(broker);
    const live = await program(broker);
    for (const one of watched) one.cancel();
    expect(secrets.size).toBeGreaterThan(1);
    const text = lines.join('\n');
    for (const secret of secrets) expect(text).not.toContain(secret);
    expect(text).not.toContain(Buffer.from(PASSWORD).toString('base64').slice(0, -3));
    expect(text).toContain('[redacted]');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ version: 1, dialect: options().connectionType.name });

    const file = fresh();
    writeFileSync(file, `${text}\n`);
    const terminal = new TestTerminal({ XMPP_PASSWORD: PASSWORD });
    const outcome = terminal.run('replay', file, '--fast');
    const [, port = ''] = await terminal.wrote(/on 127\.0\.0\.1, port (\d+)\n/);
    // What is played is in clear, where no broker uses PLAIN.
    const dialect = name === 'PLAIN' ? { connectionType: XMPP } : {};
    const again = new Broker({ ...options(), ...dialect, port: Number(port), reconnect: false, ...inClear });
    expect(await program(again)).toEqual(live);
    expect(await outcome).toMatchObject({ code: 0, err: '' });
  });
});

test('record: a file that only its owner may read, without the password of a room, and replay to watch', async () => {
  const file = fresh();
  const recording = new TestTerminal({ XMPP_PASSWORD: PASSWORD });
  const done = recording.run(
    ...['record', file, '--jid', 'juliet@localhost/balcony', '--host', '127.0.0.1'],
    ...['--port', String(server.ports.client), '--ca', join(folder, 'ca.pem')],
  );
  await recording.wrote(/signed in as juliet@localhost\/balcony/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await using romeo = new Broker(ROMEO());
  const back = romeo.events.once('PCJ_NODERECEIVED');
  await romeo.connect();
  const to = 'juliet@localhost/balcony';
  const invitation = xml('x', { xmlns: 'jabber:x:conference', jid: 'room@conference.localhost', password: ROOM });
  romeo.output(xml('message', { to, id: 'm1' }, xml('body', {}, 'wherefore'), invitation));
  romeo.output(xml('iq', { type: 'get', to, id: 'i1' }, xml('query', { xmlns: 'urn:unknown' })));
  await back;
  recording.interrupt();
  expect(await done).toMatchObject({ code: 0, err: '' });
  const text = readFileSync(file, 'utf8');
  expect(text).toContain('wherefore');
  expect(text).not.toContain(ROOM);
  expect(text).not.toContain(PASSWORD);

  const taken = await command(['record', file, '--jid', 'juliet@localhost'], { XMPP_PASSWORD: PASSWORD });
  expect(taken).toMatchObject({ code: 2, err: expect.stringContaining('is there already') as string });

  const playing = new TestTerminal();
  const played = playing.run('replay', file, '--json', '--fast');
  const [, port = ''] = await playing.wrote(/"port":(\d+)/);
  const watching = new TestTerminal({ XMPP_PASSWORD: 'replay' });
  const args = ['--jid', 'juliet@localhost', '--host', '127.0.0.1', '--port', port, '--no-tls'];
  const watched = watching.run('watch', '--json', ...args);
  await playing.wrote(/"event":"played","session":1,"left":0/);
  await watching.wrote(/wherefore/);
  watching.interrupt();
  expect((await watched).out).toContain('juliet@localhost/balcony');
  expect(await played).toMatchObject({ code: 0, err: '' });
});

test.each([true, false])('a link that was lost is lost again, and then resumed as it was: %s', async (keepSessions) => {
  const lines: string[] = [];
  const recorder = new Recorder((line) => void lines.push(line));
  const reconnect = { firstDelayMs: 1, maxDelayMs: 1 };
  const options = { connectionType: XMPP, jid: 'juliet@localhost', resource: `lost-${String(keepSessions)}` };
  const ways = { ...place(server.ports.client), tls: { ca: server.ca }, reconnect };
  // Says hello behind each READY, and waits until it hears it; the second time it ends.
  const run = async (broker: Broker, lose: () => void): Promise<string[]> => {
    const seen: string[] = [];
    broker.subscribe('PCJ_READY', ({ resumed }) => {
      seen.push(`ready ${String(resumed)}`);
      broker.output(xml('message', { to: broker.jid?.toString() ?? '', id: 'fixed' }, xml('body', {}, 'hello')));
    });
    broker.subscribe('PCJ_NODERECEIVED', (node) => {
      seen.push(node.toString());
      const times = seen.filter((text) => text.includes('hello')).length;
      setImmediate(() => (times === 1 ? lose() : void broker.shutdown()));
    });
    await broker.connect();
    await broker.closed;
    broker.halt();
    return seen;
  };
  const live = new Broker(recorder.options({ ...options, ...ways }));
  recorder.follow(live);
  const seen = await run(live, () => {
    const [jid = ''] = [live.jid?.toString()];
    if (keepSessions) server.cut(jid);
    else server.kick(jid, 'reset');
  });
  expect(seen.filter((text) => text.startsWith('ready'))).toEqual(['ready false', `ready ${String(keepSessions)}`]);
  const file = fresh();
  writeFileSync(file, lines.join('\n'));
  const terminal = new TestTerminal({ XMPP_PASSWORD: PASSWORD });
  const outcome = terminal.run('replay', file, '--fast');
  const [, port = ''] = await terminal.wrote(/port (\d+)\n/);
  const again = new Broker({ ...options, ...ways, port: Number(port), ...inClear });
  expect(await run(again, () => undefined)).toEqual(seen);
  expect(await outcome).toMatchObject({ code: 0, err: '' });
});

test('what was not sent is told, with exit code 1', async () => {
  const file = fresh();
  const at = 1;
  const lines = [
    { version: 1, dialect: 'JABBERD14_COMPONENT', domain: 'echo.localhost' },
    { at, ready: 'echo.localhost', resumed: false },
    { at, from: 'server', text: "<message xmlns='jabber:component:accept' from='a@b' to='echo.localhost' id='1'/>" },
    { at, from: 'client', text: "<message xmlns='jabber:component:accept' to='a@b' id='2'/>" },
    { at, from: 'server', text: "<message xmlns='jabber:component:accept' from='a@b' to='echo.localhost' id='2'/>" },
  ];
  writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  const terminal = new TestTerminal();
  const outcome = terminal.run('replay', file);
  const [, port = ''] = await terminal.wrote(/port (\d+)\n/);
  await using broker = new Broker({
    connectionType: COMPONENT,
    jid: 'echo.localhost',
    ...place(Number(port)),
    password: 'replay',
  });
  const first = broker.events.once('PCJ_NODERECEIVED');
  await broker.connect();
  expect((await first).getAttribute('id')).toBe('1');
  terminal.interrupt();
  const { code, out } = await outcome;
  expect(code).toBe(1);
  expect(out).toContain('1 element not sent: the program sent 0 stanzas, the recording has 1');
});

test.each([
  ['', 'is empty'],
  ['{}', 'line 1: it is no recording of version 1'],
  ['{"version":1,"dialect":"XMPP","domain":"x"}', 'no sign-in that succeeded'],
  ['{"version":1,"dialect":"XMPP","domain":"x"}\n{"at":1,"ready":"@"}\n{}', 'line 2: '],
  ['{"version":1,"dialect":"XMPP","domain":"x"}\n[]\n{}', 'line 2: it is no element'],
  ['{"version":1,"dialect":"XMPP","domain":"x"}\n7\n{}', 'line 2: it is no JSON object'],
  ['{"version":1,"dialect":"OTHER","domain":"x"}\n{"at":1,"ready":"a@x"}', '"OTHER" is no dialect'],
  [
    '{"version":1,"dialect":"XMPP","domain":"x"}\n{"at":1,"ready":"a@x"}\n{"at":1,"from":"server","text":"<a"}\n',
    'line 3: ',
  ],
])('a file that is no recording: %j', async (text, why) => {
  const file = fresh();
  writeFileSync(file, text);
  const { code, err } = await command(['replay', file]);
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining(why) as string });
});
