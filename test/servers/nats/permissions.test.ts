// docs/deploy/nats-permissions.conf is what nats-server is started with: each role can do its work, and no other's.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Broker, NS, reply, xml, XMPP } from 'xmpp-broker';
import { fanOut, Fleet, natsStore, prepareNats, StanzaPublisher, Worker } from 'xmpp-broker/nats';
import { LoopbackServer } from 'xmpp-broker/testing';
import { openLink } from '../../../src/nats/connection.js';
import { FRESH } from '../../../src/nats/marks.js';
import { Reports, reportsOf } from '../../../src/nats/reports.js';
import { Subjects } from '../../../src/nats/subjects.js';
import { failure } from '../../support/failure.js';
import { ROOT } from '../../docs/support/markdown.js';
import { describeServer, Nats, type NatsServer } from '../harness/index.js';

const file = readFileSync(join(ROOT, 'docs/deploy/nats-permissions.conf'), 'utf8');
const roles = [...file.matchAll(/^\s+user: (\w+)$/gm)].map(([, role = '']) => role);

describeServer('nats', 'docs/deploy/nats-permissions.conf', () => {
  let nats: NatsServer;
  let server: LoopbackServer;
  const closing: (() => unknown)[] = [];
  beforeAll(async () => {
    const passwords = roles.map((role) => `${role.toUpperCase()}_PASSWORD: "of-${role}"`);
    nats = await Nats.start({ extra: `${passwords.join('\n')}\n${file}` });
    server = await LoopbackServer.start({
      domain: 'example.org',
      accounts: { bot: 'secret', juliet: 'r0m30' },
      timeouts: { close: 200 },
    });
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await server.stop({ abrupt: true });
    await nats.dispose();
  });

  const as = (role: string) => ({
    servers: Nats.url(nats),
    user: role,
    pass: `of-${role}`,
    inboxPrefix: `_INBOX_${role}`,
  });

  async function connected(role: string): Promise<NatsConnection> {
    const connection = await connect(as(role));
    closing.push(() => connection.close());
    return connection;
  }

  function account(username: string, more: object = {}): Broker {
    const broker = new Broker({
      connectionType: XMPP,
      jid: `${username}@example.org`,
      password: username === 'bot' ? 'secret' : 'r0m30',
      host: '127.0.0.1',
      port: server.ports.client,
      tls: { ca: server.ca },
      logger: false,
      ...more,
    });
    closing.push(() => broker.shutdown());
    return broker;
  }

  test(
    'each role does its work: streams are made, the holder holds, a worker answers',
    { timeout: 30_000 },
    async () => {
      await prepareNats(as('prepare'));
      const store = natsStore({ connection: as('holder'), setup: false });
      const bot = account('bot', {
        acknowledge: 'settled',
        limits: { stanzaBytes: 512 * 1024 },
        queue: { store, onReady: 'send', remotePurge: true },
      });
      bot.filters.add('question', '/message[body]');
      const out = await fanOut(bot, { connection: as('holder'), groups: { replies: ['question'] } });
      closing.push(() => out.close());
      await bot.connect();
      const worker = new Worker({
        connection: as('worker'),
        queue: 'bot@example.org',
        group: 'replies',
        handler: (work) => {
          work.output(reply(work.node, xml('body', {}, 'yes?')));
        },
      });
      const told: string[] = [];
      worker.subscribe('fail', ({ message }) => told.push(message));
      closing.push(() => worker.close());
      const juliet = account('juliet');
      await juliet.connect();
      const answer = juliet.events.once('PCJ_NODERECEIVED', { signal: AbortSignal.timeout(15_000) });
      juliet.output(xml('message', { to: bot.jid?.toString(), type: 'chat' }, xml('body', {}, 'are you there?')));
      const said = answer.then((node) => node.getChildText('body'));
      expect([await said.catch(() => null), told]).toEqual(['yes?', []]);

      const queue = 'bot@example.org';
      await using producer = new StanzaPublisher({ connection: as('producer'), name: 'shop', queue });
      const got = juliet.events.once('PCJ_NODERECEIVED', { signal: AbortSignal.timeout(15_000) });
      const ticket = producer.output(xml('message', { to: juliet.jid?.toString() }, xml('body', {}, 'of a producer')));
      await ticket.sent;
      expect((await got).getChildText('body')).toBe('of a producer');
      const ping = xml('iq', { type: 'get', to: 'example.org' }, xml('ping', { xmlns: NS.PING }));
      expect((await producer.request(ping)).getAttribute('type')).toBe('result');
      await using operator = new StanzaPublisher({ connection: as('operator'), name: 'ops' });
      operator.subscribe('fail', ({ message }) => told.push(message));
      expect(await operator.purge(queue)).toBe(0);
      expect(await operator.status(queue)).toMatchObject({ held: 0 });
      expect(told).toEqual([]);
      expect(await failure(producer.status(queue))).toMatchObject({ code: 'NATS_DENIED' });
      expect(await failure(producer.purge(queue))).toMatchObject({ code: 'NATS_DENIED' });
    },
  );

  test('the holder tells a producer that listens later', async () => {
    const link = await openLink(as('holder'), 'holder');
    closing.push(() => link.release());
    const subjects = new Subjects();
    const reports = new Reports(link, subjects, false);
    closing.push(() => {
      reports.close();
    });
    const refused: string[] = [];
    link.watch({ refused: ({ message }) => refused.push(message) });
    const entry = { key: 'a', sequence: 1, ticket: { producer: 'shop', key: 'a' }, mark: FRESH, at: null, reply: null };
    reports.tell('bot@example.org', [{ entry, outcome: 'sent', code: undefined, mark: FRESH }]);
    await link.connection.flush();
    const shop = await connected('producer');
    const heard: string[] = [];
    shop.subscribe(subjects.ticket('shop'), { callback: (_, message) => void heard.push(message.string()) });
    await expect.poll(() => heard.length, { timeout: 15_000 }).toBe(1);
    expect([reportsOf(heard[0] ?? ''), refused]).toMatchObject([[{ key: 'a', outcome: 'sent' }], []]);
  });

  test('the holder may be a member of a fleet', async () => {
    await prepareNats(as('prepare'));
    const fleet = new Fleet({
      connection: as('holder'),
      setup: false,
      name: 'bots',
      shards: 2,
      list: () => ['bot@example.org'],
      broker: () => ({
        connectionType: XMPP,
        jid: 'bot@example.org',
        password: 'secret',
        host: '127.0.0.1',
        port: server.ports.client,
        tls: { ca: server.ca },
        logger: false,
      }),
    });
    const told: string[] = [];
    fleet.subscribe('fail', ({ message }) => told.push(message));
    closing.push(() => fleet.close());
    await fleet.start();
    await expect.poll(() => fleet.get('bot@example.org')?.state, { timeout: 15_000 }).toBe('ready');
    expect([fleet.shards, told]).toEqual([[0, 1], []]);
  });

  test.each([
    ['producer', 'xmpp.out.other=40example=2Eorg'],
    ['producer', 'xmpp.cmd.bot=40example=2Eorg'],
    ['producer', '$KV.XMPP_HOLD.bot=40example=2Eorg'],
    ['producer', '$JS.API.STREAM.DELETE.XMPP_OUT'],
    ['worker', 'xmpp.cmd.bot=40example=2Eorg'],
    ['worker', '$JS.API.CONSUMER.DURABLE.CREATE.XMPP_IN.x'],
    ['worker', '$JS.API.STREAM.PURGE.XMPP_IN'],
    ['operator', 'xmpp.out.bot=40example=2Eorg'],
    ['prepare', 'xmpp.out.bot=40example=2Eorg'],
  ])('%s may not publish to %s', async (role, subject) => {
    const connection = await connected(role);
    const told = (async () => {
      for await (const status of connection.status()) if (status.type === 'error') return status.error.message;
      return null;
    })();
    connection.publish(subject, '{}');
    expect(await told).toContain('Permissions Violation');
  });

  test.each(['producer', 'worker', 'operator'])('%s hears nothing that is for others', async (role) => {
    const connection = await connected(role);
    const heard = connection.subscribe('_INBOX_holder.>');
    expect(String(await failure(heard.closed.then((error) => Promise.reject(error as Error))))).toContain(
      'Permissions',
    );
  });
});
