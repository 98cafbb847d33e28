/** xmpp-broker that hands what arrives to JetStream, and publishing the same to JetStream alone. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect as connectNats, headers } from '@nats-io/transport-node';
import { dist } from '../dist.mjs';
import { SERVERS } from '../../scripts/servers.mjs';

const { Broker, JABBERD14_COMPONENT } = await import(dist('index.js'));
const { fanOut, prepareNats } = await import(dist('nats/index.js'));

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** A nats-server of this process. */
export async function startNats() {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-bench-nats-'));
  const child = spawn(SERVERS.nats.find().server, ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder], {
    stdio: 'ignore',
  });
  const stop = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', stop);
  const servers = `127.0.0.1:${port}`;
  for (let i = 0; ; i += 1) {
    try {
      await (await connectNats({ servers })).close();
      return { servers, stop };
    } catch (error) {
      if (i === 100) throw error;
      await pause(50);
    }
  }
}

/** A ready component that hands each stanza on; `received` is called for each. */
export async function handOn({ port, servers, received }) {
  const broker = new Broker({
    connectionType: JABBERD14_COMPONENT,
    host: '127.0.0.1',
    port,
    domain: 'echo.example.org',
    password: 'secret',
    acknowledge: 'settled',
    limits: { stanzaBytes: 512 * 1024 },
    reconnect: false,
    logger: false,
  });
  broker.filters.add('message', '/message');
  await fanOut(broker, { connection: { servers }, groups: { workers: ['message'] } });
  broker.subscribe('message', () => {
    received(1);
  });
  await broker.connect();
  return { close: () => broker.halt() };
}

/** Publishes texts as a program would that has nothing else to do, as many under way as the broker would read at most. */
export async function publisher(servers) {
  await prepareNats({ servers });
  const connection = await connectNats({ servers });
  const manager = await jetstreamManager(connection);
  await manager.consumers.add('XMPP_IN', {
    durable_name: 'workers',
    ack_policy: 'explicit',
    filter_subject: 'xmpp.in.>',
  });
  const stream = jetstream(connection);
  let count = 0;
  return {
    publish(text) {
      count += 1;
      const all = headers();
      all.set('Nats-Msg-Id', `bench:${count}`);
      all.set('Xmpp-Event', 'message');
      return stream.publish('xmpp.in.echo=2Eexample=2Eorg.message.0', text, { headers: all });
    },
    close: () => connection.close(),
  };
}
