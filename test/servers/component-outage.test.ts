import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NS, PCJ_NODERECEIVED, xml, type BrokerOptions, type Element } from 'xmpp-broker';
import { trace } from '../support/trace.js';
import { describeServer, type TestServer } from './harness/index.js';
import { Brokers, SITES } from './support/component-site.js';
import { inbox } from './support/inbox.js';

const message = (id: string): Element => xml('message', { to: 'sink@comp2.localhost', id }, xml('body', {}, id));

for (const site of SITES) {
  describeServer(site.name, 'outages under a component', () => {
    let server: TestServer<'starttls'>;
    let port: number;
    let brokers: Brokers;

    beforeAll(async () => {
      server = await site.start();
      port = site.port(server);
      brokers = new Brokers();
    });
    afterEach(async () => {
      await brokers[Symbol.asyncDispose]();
    });
    afterAll(async () => {
      await server.dispose();
    });

    const soon: Partial<BrokerOptions> = { reconnect: { firstDelayMs: 50, maxDelayMs: 50 } };

    test('SIGKILL and restart: what is sent meanwhile is held, and goes out only on purge, in order, once', async () => {
      const broker = await brokers.ready(port, soon);
      const sink = await brokers.ready(port, { ...soon, domain: 'comp2.localhost' });
      const received = inbox(sink);
      const requestTo = (to: string) => xml('iq', { type: 'get', to }, xml('query', { xmlns: NS.DISCO_INFO }));

      const before = broker.output(message('before'));
      await received.until('before');
      expect(before.state).toBe('sent');

      // A request that was written when the server dies: nobody can tell what became of it.
      const cut = broker.request(requestTo('nobody@comp2.localhost'));
      await sink.events.once(PCJ_NODERECEIVED);
      const recorded = trace(broker);
      const down = broker.events.once('PCJ_RECONNECTING');
      await server.kill();
      expect(await down).toMatchObject({ attempt: 1 });
      await expect(cut).rejects.toMatchObject({ code: 'RTS_DISCONNECTED', sent: 'maybe' });
      // jabberd2's session manager may still ask who we are.
      const end = recorded.short.filter((name) => name !== 'NODERECEIVED');
      expect(end.slice(0, 4)).toEqual(['SOCKETFAIL', 'SOCKETDISCONNECT', 'RTS_FAIL', 'RECONNECTING']);
      expect(recorded.last('PCJ_SOCKETFAIL')).toMatchObject({ layer: 'tcp', phase: 'ready', retryable: true });
      expect(recorded.last('PCJ_SOCKETDISCONNECT')).toMatchObject({ clean: false });
      expect(broker.jid).toBeNull();

      const ids = Array.from({ length: 20 }, (_, index) => `held-${index}`);
      recorded.clear();
      const tickets = ids.map((id) => broker.output(message(id)));
      const asked = broker.request(requestTo('localhost'));
      expect(recorded.short).toEqual([...ids.map(() => 'NODEQUEUED'), 'RTS_START', 'NODEQUEUED']);
      expect(broker.purgeQueue()).toEqual([]);
      expect(broker.queue.size).toBe(21);

      const back = Promise.all([broker.events.once('PCJ_READY'), sink.events.once('PCJ_READY')]);
      await server.start();
      await back;
      expect(broker.queue.size).toBe(21);
      broker.output(message('overtakes nothing, since nothing was purged'));
      await received.until('overtakes nothing, since nothing was purged');

      const purged = broker.purgeQueue();
      broker.output(message('last'));
      await received.until('last');
      expect(purged.slice(0, 20)).toEqual(tickets);
      expect(received.ids).toEqual(['before', 'overtakes nothing, since nothing was purged', ...ids, 'last']);
      expect((await asked).getAttribute('type')).toBe('result');
      expect(tickets.every(({ state, possibleDuplicate }) => state === 'sent' && !possibleDuplicate)).toBe(true);
      expect(broker.queue.size).toBe(0);
      expect(recorded.names.filter((name) => name === 'PCJ_READY')).toHaveLength(1);
    });

    test('a server that hangs: the attempt and the farewell have time limits', async () => {
      const broker = await brokers.ready(port, { timeouts: { close: 200 } });
      const newcomer = brokers.component(port, { timeouts: { close: 200, stream: 200 } });
      const recorded = trace(broker);
      server.freeze();
      try {
        await expect(newcomer.connect()).rejects.toMatchObject({ code: 'STREAM_TIMEOUT' });
        await broker.shutdown();
      } finally {
        server.thaw();
      }
      expect(recorded.last('PCJ_SOCKETDISCONNECT')).toMatchObject({ clean: false });
      expect(recorded.short.at(-1)).toBe('SHUTDOWN_FINISH');
    });

    test('an orderly stop: SOCKETFAIL, SOCKETDISCONNECT; nothing more without reconnect; connect works again', async () => {
      const broker = await brokers.ready(port);
      const recorded = trace(broker);
      const closed = broker.closed;
      await server.stop();
      const { clean, error } = await closed;
      // ejabberd now and then has the time to say why: it depends on which of its own processes ends first.
      const told = recorded.last('PCJ_PROTOCOLERROR');
      const events = recorded.short.filter((name) => name !== 'NODERECEIVED');
      expect(events).toEqual([...(told ? ['PROTOCOLERROR'] : []), 'SOCKETFAIL', 'SOCKETDISCONNECT']);
      // jabberd2 closes the stream, the others only the connection.
      expect(error).toMatchObject(
        told
          ? { code: 'STREAM_ERROR', origin: 'peer' }
          : { code: 'STREAM_CLOSED', layer: site.saysGoodbye ? 'stream' : 'tcp', origin: 'peer' },
      );
      expect(told === undefined || site.name === 'ejabberd').toBe(true);
      expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual({ clean, error });
      expect(broker.state).toBe('disconnected');
      recorded.clear();

      await expect(broker.connect()).rejects.toMatchObject({ code: 'TCP_REFUSED' });
      expect(recorded.short).toEqual(['CONNECT', 'CONNECTING', 'CONNECTFAIL']);
      await server.start();
      await broker.connect();
      expect(broker.state).toBe('ready');
    });
  });
}
