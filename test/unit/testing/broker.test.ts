import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  Broker,
  JABBERD14_COMPONENT,
  JABBERD20_COMPONENT,
  LEGACY,
  NS,
  reply,
  xml,
  XMPP,
  type BrokerOptions,
  type FilterMatch,
} from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';

const SERVER = {
  accounts: { alice: 'secret' },
  components: { 'echo.localhost': 'geheim' },
  routerUsers: { jabberd: 'verdeckt' },
};

type Names = 'XMPP' | 'LEGACY' | 'JABBERD14_COMPONENT' | 'JABBERD20_COMPONENT';

function optionsFor(name: Names, server: LoopbackServer): BrokerOptions {
  const { host, ports, ca } = server;
  const client = { domain: 'localhost', username: 'alice', password: 'secret', resource: 'r', tls: { ca } };
  const options: Record<Names, Omit<BrokerOptions, 'host'>> = {
    XMPP: { connectionType: XMPP, port: ports.client, ...client },
    LEGACY: { connectionType: LEGACY, port: ports.client, ...client, tls: { policy: 'disabled' } },
    JABBERD14_COMPONENT: {
      connectionType: JABBERD14_COMPONENT,
      domain: 'echo.localhost',
      password: 'geheim',
      port: ports.component,
    },
    JABBERD20_COMPONENT: {
      connectionType: JABBERD20_COMPONENT.with({ name: 'svc.localhost' }),
      domain: 'localhost',
      username: 'jabberd',
      password: 'verdeckt',
      port: ports.router,
      tls: { ca },
    },
  };
  return { host, reconnect: false, logger: false, ...options[name] };
}

describe('a broker', () => {
  test.each<[Names, Names]>([
    ['XMPP', 'JABBERD14_COMPONENT'],
    ['XMPP', 'JABBERD20_COMPONENT'],
    ['LEGACY', 'JABBERD14_COMPONENT'],
    ['JABBERD20_COMPONENT', 'JABBERD14_COMPONENT'],
    ['JABBERD14_COMPONENT', 'XMPP'],
    ['JABBERD14_COMPONENT', 'JABBERD20_COMPONENT'],
  ])('of %s asks one of %s', async (asking, answering) => {
    await using server = await LoopbackServer.start(SERVER);
    await using service = new Broker(optionsFor(answering, server));
    service.filters.add('asked', '/iq/x:question', { namespaces: { x: 'urn:example' } });
    service.subscribe('asked', (match) => {
      const { node } = match as FilterMatch;
      service.output(reply(node, xml('answer', { xmlns: 'urn:example' }, '42')));
    });
    await service.connect();
    await using broker = new Broker(optionsFor(asking, server));
    await broker.connect();
    const question = xml('iq', { type: 'get', to: service.jid?.toString() }, xml('question', { xmlns: 'urn:example' }));
    const answer = await broker.request(question);
    expect(answer.getChildText('answer', 'urn:example')).toBe('42');
    const pong = await broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));
    expect(pong.getAttribute('type')).toBe('result');
    await broker.shutdown();
    await service.shutdown();
  });

  test('loses nothing while its connection is cut again and again', async () => {
    await using server = await LoopbackServer.start(SERVER);
    await using service = new Broker(optionsFor('JABBERD14_COMPONENT', server));
    const options = optionsFor('XMPP', server);
    await using broker = new Broker({ ...options, reconnect: { resumeDelayMs: 1, firstDelayMs: 1 } });
    const [there, back]: [string[], string[]] = [[], []];
    const numbers = 3000;
    const cuts = 25;
    service.subscribe('PCJ_NODERECEIVED', (node) => {
      if (node.localName !== 'message') return;
      there.push(node.getAttribute('id') ?? '');
      service.output(xml('message', { to: 'alice@localhost/r', id: node.getAttribute('id') }));
    });
    const all = new Promise<void>((resolve) => {
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        if (node.localName !== 'message') return;
        back.push(node.getAttribute('id') ?? '');
        if (back.length === numbers) resolve();
      });
    });
    await service.connect();
    await broker.connect();
    const ready = () => broker.events.once('PCJ_READY', { signal: AbortSignal.timeout(10_000) });
    for (let id = 0; id < numbers; id++) {
      broker.output(xml('message', { to: 'echo.localhost', id }));
      if (id % 10 === 9) await setImmediate();
      if (id % (numbers / cuts) === 60) {
        const resumed = ready();
        server.cut('alice@localhost/r');
        expect(await resumed).toMatchObject({ resumed: true });
      }
    }
    await all;
    const expected = Array.from({ length: numbers }, (_, id) => String(id));
    expect(there).toEqual(expected);
    expect(back).toEqual(expected);
    await broker.shutdown();
    await service.shutdown();
  });
});
