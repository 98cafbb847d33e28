import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { xml, type Broker, type BrokerError, type BrokerOptions, type Element } from 'xmpp-broker';
import { describeServer, Proxy, type TestServer } from './harness/index.js';
import { CLIENT_SITES, Clients, type ClientPort } from './support/client-site.js';
import { inbox } from './support/inbox.js';

const BOB = 'bob@localhost/desk';

const message = (id: string): Element => xml('message', { to: BOB, id, type: 'chat' }, xml('body', {}, id));

/** Resolves when the server has handled everything that was sent before. */
const settled = (broker: Broker) =>
  broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: 'urn:xmpp:ping' })));

/** jabberd2 may greet a connection that comes soon after another one left with internal-server-error. */
async function retrying(connect: () => Promise<void>): Promise<void> {
  for (let tries = 200; ; tries--) {
    const error = await connect().catch((caught: unknown) => caught as BrokerError);
    if (error === undefined) return;
    if (tries === 0 || error.condition !== 'internal-server-error') throw error;
  }
}

for (const site of CLIENT_SITES) {
  describeServer(site.name, 'outages of a client', () => {
    let server: TestServer<ClientPort>;
    let proxy: Proxy;
    let clients: Clients;

    beforeAll(async () => {
      server = await site.start();
      proxy = await Proxy.listen(server.ports.starttls);
      clients = new Clients();
    });
    afterEach(async () => {
      await clients[Symbol.asyncDispose]();
    });
    afterAll(async () => {
      await proxy.close();
      await server.dispose();
    });

    /** Alice behind the proxy. */
    const alice = (options: Partial<BrokerOptions> = {}) =>
      clients.ready(server, { port: proxy.port, resource: 'desk', ...options });
    const bob = () => clients.ready(server, { username: 'bob', resource: 'desk' });

    if (site.managed) {
      test('S-SM-9: what a crashed server may not have is held, and goes out on purge', async () => {
        const reader = await bob();
        const received = inbox(reader.broker);
        const { broker, recorded } = await alice();
        const link = proxy.openLinks.at(-1);
        // The server has the first three, and alice does not know; the other three never get there.
        link?.stall('toClient');
        const known = ['1', '2', '3'].map((id) => broker.output(message(id)));
        await received.until('3');
        link?.stall('toServer');
        const lost = ['4', '5', '6'].map((id) => broker.output(message(id)));
        await Promise.all(lost.map(({ sent }) => sent));
        recorded.clear();
        const back = broker.events.once('PCJ_READY');
        const readerBack = reader.broker.events.once('PCJ_READY');
        await server.kill();
        link?.cut();
        await server.start();
        expect(await back).toMatchObject({ resumed: false });
        await readerBack;
        expect(recorded.last('PCJ_SM_FAILED')).toMatchObject({ code: 'SM_FAILED' });
        expect([...broker.queue]).toEqual([...known, ...lost]);
        expect(known.concat(lost).map(({ state, possibleDuplicate }) => [state, possibleDuplicate])).toEqual(
          Array.from({ length: 6 }, () => ['queued', true]),
        );
        expect(received.ids).toEqual(['1', '2', '3']);
        const fresh = broker.output(message('7'));
        broker.purgeQueue();
        await received.until('6');
        expect(received.ids.filter((id) => id !== '7')).toEqual(['1', '2', '3', '1', '2', '3', '4', '5', '6']);
        expect(fresh.possibleDuplicate).toBe(false);
      });

      test('S-SM-8: a cut link is resumed, and what was lost on the way goes out again by itself', async () => {
        const reader = await bob();
        const received = inbox(reader.broker);
        const { broker, recorded } = await alice();
        const link = proxy.openLinks.at(-1);
        link?.stall('toServer');
        const tickets = ['a', 'b', 'c'].map((id) => broker.output(message(id)));
        await Promise.all(tickets.map(({ sent }) => sent));
        recorded.clear();
        const back = broker.events.once('PCJ_READY');
        link?.cut();
        expect(await back).toMatchObject({ resumed: true });
        await received.until('c');
        await Promise.all(tickets.map(({ acked }) => acked));
        expect(received.ids).toEqual(['a', 'b', 'c']);
        expect(tickets.some(({ possibleDuplicate }) => possibleDuplicate)).toBe(false);
        expect(recorded.last('PCJ_SM_RESUMED')).toMatchObject({ replayed: 3 });
        const names = recorded.short.filter((name) => !name.startsWith('NODE'));
        expect(names.slice(0, 3)).toEqual(['SOCKETFAIL', 'SOCKETDISCONNECT', 'RECONNECTING']);
        expect(names.slice(3)).toEqual([
          ...['CONNECT', 'CONNECTING', 'CONNECTED', 'STREAMSTART', 'SSLNEGOTIATE', 'SSLSUCCESS', 'STREAMSTART'],
          ...['AUTHNEGOTIATE', 'AUTHSUCCESS', 'STREAMSTART', 'SM_RESUMED', 'READY', 'SM_ACK'],
        ]);
      });

      test('S-RTS-4: a request that was under way is answered after the resumption', async () => {
        const { broker } = await alice();
        const link = proxy.openLinks.at(-1);
        link?.stall('toServer');
        const answer = settled(broker);
        await new Promise((resolve) => setImmediate(resolve));
        link?.cut();
        expect((await answer).getAttribute('type')).toBe('result');
      });
    }

    test('S-PING-3 A-FLOW-3: a path that is gone is found out, and a new one taken', async () => {
      const { broker, recorded } = await alice({ liveness: { intervalMs: 200, timeoutMs: 1_000 } });
      await settled(broker);
      recorded.clear();
      const back = broker.events.once('PCJ_READY');
      proxy.openLinks.at(-1)?.lose();
      await back;
      expect(recorded.last('PCJ_SOCKETFAIL')).toMatchObject({ code: 'LIVENESS_TIMEOUT', retryable: true });
      await settled(broker);
    });

    test('S-PING-3: a server that stands still is found out', async () => {
      const { broker } = await alice({ liveness: { intervalMs: 200, timeoutMs: 1_000 } });
      await settled(broker);
      const lost = broker.events.once('PCJ_SOCKETFAIL');
      server.freeze();
      const error = await lost.finally(() => {
        server.thaw();
      });
      expect(error).toMatchObject({ code: 'LIVENESS_TIMEOUT' });
      await broker.events.once('PCJ_READY');
    });

    test('S-STREAM-18: a link without a farewell is an unclean end', async () => {
      const { broker, recorded } = clients.client(server, { port: proxy.port, resource: 'desk', reconnect: false });
      await retrying(() => broker.connect());
      const closed = broker.closed;
      recorded.clear();
      proxy.cut('end');
      expect(await closed).toMatchObject({ clean: false, error: { code: 'STREAM_CLOSED', layer: 'tcp' } });
      expect(recorded.short).toEqual(['SOCKETFAIL', 'SOCKETDISCONNECT']);
      expect(broker.state).toBe('disconnected');
      await retrying(() => broker.connect());
      expect(recorded.last('PCJ_READY')).toMatchObject({ resumed: site.managed });
    });

    if (site.name === 'ejabberd') {
      test('S-CONN-10: kicked with a conflict: final', async () => {
        const { broker, recorded } = await alice();
        const closed = broker.closed;
        await server.kick('alice@localhost/desk');
        expect(await closed).toMatchObject({ error: { condition: 'conflict', retryable: false } });
        expect(recorded.short).not.toContain('RECONNECTING');
        expect(broker.state).toBe('disconnected');
      });
    }

    if (site.name === 'prosody') {
      test('S-SM-9: the count of a session that is over proves what the server has', async () => {
        const reader = await bob();
        const received = inbox(reader.broker);
        const { broker } = await alice();
        const link = proxy.openLinks.at(-1);
        link?.stall('toClient');
        const known = ['x', 'y'].map((id) => broker.output(message(id)));
        await received.until('y');
        link?.stall('toServer');
        const lost = broker.output(message('z'));
        await lost.sent;
        const back = broker.events.once('PCJ_READY');
        // It remembers the count over an orderly stop.
        await server.stop();
        link?.cut();
        await server.start();
        expect(await back).toMatchObject({ resumed: false });
        expect(known.map(({ state }) => state)).toEqual(['acked', 'acked']);
        expect([...broker.queue]).toEqual([lost]);
      });

      test('S-STREAM-17: a stream that the server closes in order is opened anew', async () => {
        const { broker, recorded } = await alice();
        recorded.clear();
        const back = broker.events.once('PCJ_READY');
        await server.kick('alice@localhost/desk');
        await back;
        expect(recorded.last('PCJ_SOCKETDISCONNECT')).toMatchObject({ clean: false, error: { code: 'STREAM_CLOSED' } });
        await settled(broker);
      });
    }
  });
}
