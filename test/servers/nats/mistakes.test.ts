// What a newcomer hears when NATS is not there, or is set up otherwise: each message names the cause and the way out.
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterEach, expect, it } from 'vitest';
import { prepareNats, StanzaPublisher } from 'xmpp-broker/nats';
import {
  describeServer,
  Nats,
  NatsCluster,
  sharedServer,
  type NatsOptions,
  type NatsServer,
} from '../harness/index.js';
import { useNothingThrown } from '../../support/nothing-thrown.js';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function nats(options: NatsOptions = {}): Promise<NatsServer> {
  const server = await Nats.start(options);
  open.push(server);
  return server;
}

const options = (server: NatsServer, more: object = {}) => ({ servers: Nats.url(server), ...more });

describeServer('nats', 'setting up', () => {
  const shared = sharedServer(() => Nats.start());

  it('makes the streams once, and checks them from then on', async () => {
    const server = await shared();
    await prepareNats(options(server), { prefix: 'first' });
    await prepareNats(options(server), { prefix: 'first' });
    await prepareNats(options(server), { prefix: 'first', replicas: 1, maxStanzas: 10_000 });
    await using connection = await connect(options(server));
    const manager = await jetstreamManager(connection);
    const { config } = await manager.streams.info('FIRST_OUT');
    expect(config).toMatchObject({
      subjects: ['first.out.>'],
      retention: 'workqueue',
      discard: 'new',
      discard_new_per_subject: true,
      max_msgs_per_subject: 10_000,
      duplicate_window: 600_000_000_000,
    });
    for (const name of ['FIRST_IN', 'FIRST_DEAD', 'KV_FIRST_HOLD']) await manager.streams.info(name);
    await expect(manager.streams.info('FIRST_REPORTS')).rejects.toThrow('stream not found');
  });

  it('two at once make them once', async () => {
    const server = await shared();
    await Promise.all([1, 2, 3, 4].map(() => prepareNats(options(server), { prefix: 'race', keepReportsMs: 60_000 })));
  });

  it('NATS_SETUP lists what is otherwise', async () => {
    const server = await shared();
    await prepareNats(options(server), { prefix: 'other' });
    await expect(prepareNats(options(server), { prefix: 'other', maxStanzas: 5, dedupMs: 1000 })).rejects.toMatchObject(
      {
        code: 'NATS_SETUP',
        layer: 'nats',
        message: expect.stringMatching(
          /OTHER_OUT.*max_msgs_per_subject is 10000, and 5 is wanted.*duplicate_window/s,
        ) as string,
      },
    );
    await using connection = await connect(options(server));
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'STRANGE_OUT', subjects: ['strange.out.>'] });
    await expect(prepareNats(options(server), { prefix: 'strange' })).rejects.toMatchObject({
      code: 'NATS_SETUP',
      message: expect.stringMatching(/retention is "limits", and "workqueue" is wanted/) as string,
    });
  });

  it('works on a connection of the program, and leaves it open', async () => {
    const server = await shared();
    await using connection = await connect(options(server));
    await prepareNats(connection, { prefix: 'given' });
    expect(connection.isClosed()).toBe(false);
    await connection.close();
    await expect(prepareNats(connection)).rejects.toMatchObject({ code: 'NATS_UNREACHABLE', retryable: false });
  });
});

describeServer('nats', 'first mistakes', () => {
  it('no NATS there: NATS_UNREACHABLE', async () => {
    const server = await nats();
    await server.kill();
    const failure = await prepareNats(options(server, { user: 'a', pass: 'geheim' })).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'NATS_UNREACHABLE', retryable: true, origin: 'os' });
    expect((failure as Error).message).toMatch(/127\.0\.0\.1:\d+.*ECONNREFUSED.*is nats-server running there/);
  });

  it('a password in the address is in no message', async () => {
    const server = await nats();
    await server.kill();
    const servers = `nats://me:geheim@127.0.0.1:${server.ports.client}`;
    const failure = (await prepareNats({ servers }).catch((error: unknown) => error)) as Error;
    expect(failure).toMatchObject({ code: 'NATS_UNREACHABLE' });
    expect(failure.message).not.toContain('geheim');
  });

  it('JetStream is not enabled: NATS_NO_STREAM, at once', async () => {
    const server = await nats({ jetstream: false });
    await expect(prepareNats(options(server))).rejects.toMatchObject({
      code: 'NATS_NO_STREAM',
      message: expect.stringMatching(/nats-server with -js/) as string,
    });
  });

  it('JetStream has no room for the streams: NATS_SETUP, with what to raise', async () => {
    const server = await nats({ maxFile: 64 * 1024 ** 2 });
    await expect(prepareNats(options(server))).rejects.toMatchObject({
      code: 'NATS_SETUP',
      retryable: false,
      message: expect.stringMatching(/has no room to .*reserve a little more than 1 GiB; raise max_file/) as string,
    });
  });

  it('a producer before anybody made the streams: NATS_NO_STREAM, with who makes them', async () => {
    const server = await nats();
    const publisher = new StanzaPublisher({ connection: options(server), queue: 'echo.example.org' });
    const failed = new Promise((resolve) => publisher.subscribe('fail', resolve));
    const { stored } = publisher.output('<message/>');
    expect(await failed).toMatchObject({
      code: 'NATS_NO_STREAM',
      message: expect.stringMatching(/the streams are not made yet, which prepareNats\(\) does/) as string,
    });
    await prepareNats(options(server));
    await stored;
    await publisher.close();
  });

  it('a wrong login: NATS_DENIED', async () => {
    const server = await nats({ users: [{ user: 'holder', password: 'right' }] });
    for (const login of [{ user: 'holder', pass: 'geheim' }, {}]) {
      const failure = (await prepareNats(options(server, login)).catch((error: unknown) => error)) as Error;
      expect(failure).toMatchObject({ code: 'NATS_DENIED', retryable: false });
      expect(failure.message).toMatch(/refuses the login.*check user, password/);
      expect(failure.message).not.toContain('geheim');
    }
    await prepareNats(options(server, { user: 'holder', pass: 'right' }));
  });

  it('a missing permission: NATS_DENIED, with the subject', async () => {
    const server = await nats({
      users: [
        { user: 'mute', password: 'x', publish: ['xmpp.out.>'], subscribe: ['_INBOX.>'] },
        { user: 'deaf', password: 'x', publish: ['$JS.API.>'], subscribe: ['xmpp.>'] },
      ],
    });
    await expect(prepareNats(options(server, { user: 'mute', pass: 'x' }))).rejects.toMatchObject({
      code: 'NATS_DENIED',
      message: expect.stringMatching(/publish on "\$JS\.API/) as string,
    });
    await expect(prepareNats(options(server, { user: 'deaf', pass: 'x' }))).rejects.toMatchObject({
      code: 'NATS_DENIED',
      message: expect.stringMatching(/subscribe to "_INBOX.*give inboxPrefix beside user and pass/) as string,
    });
    const publisher = new StanzaPublisher({ connection: options(server, { user: 'mute', pass: 'x' }), queue: 'q' });
    const failed = new Promise((resolve) => publisher.subscribe('fail', resolve, { once: true }));
    publisher.output('<message/>');
    expect(await failed).toMatchObject({
      code: 'NATS_DENIED',
      message: expect.stringMatching(/"xmpp\.ticket\..*give it the option name/) as string,
    });
    await publisher.close({ timeoutMs: 1 });
  });

  it('TLS is wanted and not spoken: NATS_UNREACHABLE; with the authority it works', async () => {
    const server = await nats({ tls: true });
    await expect(prepareNats(options(server))).rejects.toMatchObject({
      code: 'NATS_UNREACHABLE',
      message: expect.stringMatching(/agree about TLS/) as string,
    });
    await prepareNats({ servers: `tls://localhost:${server.ports.client}`, tls: { ca: server.ca } });
  });

  it('a cluster of three keeps its streams while a node is down', async () => {
    const cluster = await NatsCluster.start();
    open.push(cluster);
    const all = { servers: cluster.urls };
    await prepareNats(all, { replicas: 3 });
    await cluster.nodes[0]!.kill();
    await prepareNats(all, { replicas: 3 });
  });
});

describeServer('nats', 'nothing reaches the process', () => {
  useNothingThrown();

  it('NATS dies in the middle of it, and the call has an end', async () => {
    const server = await nats();
    const connection: NatsConnection = await connect({ ...options(server), reconnect: false });
    const prepared = prepareNats(connection);
    prepared.catch(() => undefined);
    await server.kill();
    await prepared.catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'NATS_UNREACHABLE' });
    });
    await new Promise((resolve) => setImmediate(resolve));
  });
});
