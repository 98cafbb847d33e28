import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Broker, COMPONENT, ROUTER, XMPP, xml, type BrokerOptions } from 'xmpp-broker';
import { Recorder } from '../../src/cli/recorder.js';
import { Deferred } from '../../src/deferred.js';
import { TestTerminal } from '../unit/cli/terminal.js';
import { describeServer, Jabberd2, Prosody, sharedServer, type TestServer } from './harness/index.js';

const inClear = { tls: { policy: 'disabled' as const } };
const SECRET = 'secret';

interface Surroundings {
  /** Who is asked for what it has. */
  readonly server: string | null;
  /** How many requests come by themselves. */
  readonly questions: number;
}

/** A program: what happens to it from READY on, in order. It greets itself, and asks the server for what it has. */
async function program(broker: Broker, { server, questions }: Surroundings): Promise<string[]> {
  const seen: string[] = [];
  const asked = new Deferred<void>();
  let count = 0;
  const look = () => {
    if (count === questions) asked.resolve();
  };
  look();
  broker.match('/iq[@type="get"]', () => {
    count += 1;
    setImmediate(look);
  });
  broker.subscribe('PCJ_READY', ({ jid }) => void seen.push(`ready as ${jid.toString()}`));
  broker.subscribe('PCJ_NODERECEIVED', (node) => void seen.push(`received ${node.toString()}`));
  broker.subscribe('PCJ_DOMAIN', ({ name, online }) => void seen.push(`${name} ${String(online)}`));
  broker.match('/message[body="to myself"]', () => void seen.push('a message to myself'));
  await broker.connect();
  const own = broker.jid?.toString() ?? '';
  const greeted = new Promise<void>((resolve) => {
    broker.match('/message[@id="fixed"]', () => void setImmediate(resolve));
  });
  broker.output(xml('message', { to: own, from: own, id: 'fixed' }, xml('body', {}, 'to myself')));
  await greeted;
  if (server !== null) {
    const query = xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' });
    const answer = await broker.request(xml('iq', { type: 'get', to: server, from: own }, query));
    seen.push(`answered ${answer.toString()}`);
  }
  await asked.promise;
  await broker.shutdown();
  broker.halt();
  // Ids of requests are new each time.
  return seen.map((text) => text.replaceAll(/ id=(['"])(?!fixed)[^'"]*\1/g, ''));
}

/** Records the program on the server, and lets it run again on the recording. */
async function recordedAndReplayed(options: BrokerOptions, surroundings: Surroundings): Promise<void> {
  const lines: string[] = [];
  const recorder = new Recorder((line) => void lines.push(line));
  const live = new Broker(recorder.options({ ...options, reconnect: false }));
  recorder.follow(live);
  const events = await program(live, surroundings);
  expect(events).toContain('a message to myself');
  const text = lines.join('\n');
  expect(text).toContain('[redacted]');
  expect(text).not.toContain(SECRET);

  const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-record-'));
  try {
    const file = join(folder, 'session.jsonl');
    writeFileSync(file, text);
    const terminal = new TestTerminal();
    const outcome = terminal.run('replay', file);
    const [, port = ''] = await terminal.wrote(/on 127\.0\.0\.1, port (\d+)\n/);
    const place = { host: '127.0.0.1', port: Number(port), password: 'replay', ...inClear };
    const again = new Broker({ ...options, ...place, reconnect: false });
    expect(await program(again, surroundings)).toEqual(events);
    expect(await outcome).toMatchObject({ code: 0, err: '' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const at = (server: TestServer, port: string) => ({
  host: server.host,
  port: server.ports[port] ?? 0,
  password: SECRET,
  logger: false as const,
});

describeServer('prosody', 'record and replay: the same program sees the same', () => {
  const server = sharedServer(() => Prosody.start());

  test('an account', async () => {
    const current = await server();
    const tls = { ca: current.ca };
    const jid = `alice@${current.domain}`;
    const options = { connectionType: XMPP, jid, ...at(current, 'starttls'), tls };
    await recordedAndReplayed(options, { server: current.domain, questions: 0 });
  });

  test('a component', async () => {
    const current = await server();
    const options = { connectionType: COMPONENT, jid: 'comp.localhost', ...at(current, 'component') };
    await recordedAndReplayed(options, { server: current.domain, questions: 0 });
  });
});

describeServer('jabberd2', 'record and replay: the same program sees the same', () => {
  const server = sharedServer(() => Jabberd2.start());

  test('a service at the router', async () => {
    const options = { connectionType: ROUTER, domain: 'service.localhost', username: 'jabberd', ...inClear };
    // Each domain of the session manager asks who is there.
    await recordedAndReplayed({ ...options, ...at(await server(), 'router') }, { server: null, questions: 3 });
  });
});
