import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Broker,
  JABBERD14_COMPONENT,
  JABBERD20_COMPONENT,
  LEGACY,
  XMPP,
  xml,
  type BrokerOptions,
  type FastToken,
  type TokenStore,
} from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { trace } from '../support/trace.js';
import { readPages } from './support/markdown.js';

/** The orders of events that the pages print, by the name in the comment above: `<!-- order: name -->`. */
const printed = new Map(
  readPages().flatMap(({ text }) =>
    [...text.matchAll(/^<!-- order: (?<name>.+) -->\n```text\n(?<events>[^`]*)```$/gm)].map(
      ({ groups: { name = '', events = '' } = {} }) => [name, events.trim().split(/\s+/)] as const,
    ),
  ),
);

let server: LoopbackServer;
/** One that speaks SASL2. */
let modern: LoopbackServer;
beforeAll(async () => {
  server = await LoopbackServer.start({
    accounts: { juliet: 'r0m30' },
    components: { 'echo.localhost': 'secret' },
    routerUsers: { jabberd: 'secret' },
    websocket: true,
  });
});
beforeAll(async () => {
  modern = await LoopbackServer.start({ accounts: { juliet: 'r0m30' }, sasl2: {} });
});
afterAll(() => Promise.all([server.stop({ abrupt: true }), modern.stop({ abrupt: true })]));

function inMemory(): TokenStore {
  let kept: FastToken | null = null;
  return { load: () => kept, save: (_, token) => void (kept = token) };
}

const quick = { firstDelayMs: 1, maxDelayMs: 1, resumeDelayMs: 1 };

function component(options: Partial<BrokerOptions> = {}): Broker {
  return new Broker({
    connectionType: JABBERD14_COMPONENT,
    host: '127.0.0.1',
    port: server.ports.component,
    domain: 'echo.localhost',
    password: 'secret',
    reconnect: false,
    logger: false,
    ...options,
  });
}

function client(options: Partial<BrokerOptions> = {}): Broker {
  return component({
    connectionType: XMPP,
    port: server.ports.client,
    domain: 'localhost',
    username: 'juliet',
    password: 'r0m30',
    tls: { ca: server.ca },
    ...options,
  });
}

/** The names of what a broker publishes while `act` runs, without their prefix. */
async function during(broker: Broker, act: () => Promise<unknown>): Promise<string[]> {
  const recorded = trace(broker);
  await act();
  return recorded.names.map((name) => name.slice('PCJ_'.length));
}

/** Each order as it really is. */
const real: Record<string, () => Promise<string[]>> = {
  XMPP: async () => {
    await using broker = client();
    return await during(broker, () => broker.connect());
  },
  'XMPP with direct TLS': async () => {
    await using broker = client({ port: server.ports.clientDirectTls, tls: { policy: 'direct', ca: server.ca } });
    return await during(broker, () => broker.connect());
  },
  'XMPP resumed': async () => {
    await using broker = client({ reconnect: quick });
    await broker.connect();
    const names = await during(broker, async () => {
      const ready = broker.events.once('PCJ_READY');
      server.cut(broker.jid ?? '');
      await ready;
    });
    return names.slice(names.indexOf('CONNECT'));
  },
  'XMPP over WebSocket': async () => {
    const websocket = `wss://localhost:${String(server.ports.websocketTls)}/xmpp-websocket`;
    await using broker = client({ websocket, host: undefined, port: undefined });
    return await during(broker, () => broker.connect());
  },
  'XMPP with SASL2': async () => {
    await using broker = client({ port: modern.ports.client, tls: { ca: modern.ca } });
    return await during(broker, () => broker.connect());
  },
  'XMPP with SASL2 resumed': async () => {
    await using broker = client({ port: modern.ports.client, tls: { ca: modern.ca }, reconnect: quick });
    await broker.connect();
    const names = await during(broker, async () => {
      const ready = broker.events.once('PCJ_READY');
      modern.cut(broker.jid ?? '');
      await ready;
    });
    return names.slice(names.indexOf('CONNECT'));
  },
  'XMPP with a token, resumed': async () => {
    const connectionType = XMPP.with({ fast: { store: inMemory() } });
    const at = { port: modern.ports.client, tls: { ca: modern.ca } };
    await using broker = client({ connectionType, ...at, reconnect: quick });
    await broker.connect();
    const names = await during(broker, async () => {
      const ready = broker.events.once('PCJ_READY');
      modern.cut(broker.jid ?? '');
      await ready;
    });
    return names.slice(names.indexOf('CONNECT'));
  },
  'XMPP with a token that is refused': async () => {
    const connectionType = XMPP.with({ fast: { store: inMemory() } });
    await using broker = client({ connectionType, port: modern.ports.client, tls: { ca: modern.ca } });
    await broker.connect();
    await broker.shutdown();
    modern.setAccount('juliet', 'r0m30'); // as a new password, it makes an end of tokens
    return await during(broker, () => broker.connect());
  },
  'XMPP with Bind 2': async () => {
    const connectionType = XMPP.with({ bind2: 'on' });
    await using broker = client({ connectionType, port: modern.ports.client, tls: { ca: modern.ca } });
    return await during(broker, () => broker.connect());
  },
  LEGACY: async () => {
    await using broker = client({ connectionType: LEGACY, resource: 'balcony' });
    return await during(broker, () => broker.connect());
  },
  'XEP-0114': async () => {
    await using broker = component();
    return await during(broker, () => broker.connect());
  },
  JABBERD20_COMPONENT: async () => {
    await using broker = client({
      connectionType: JABBERD20_COMPONENT,
      port: server.ports.router,
      domain: 'service.localhost',
      username: 'jabberd',
      password: 'secret',
      tls: { ca: server.ca, servername: 'localhost' },
    });
    return await during(broker, () => broker.connect());
  },
  request: async () => {
    await using broker = component();
    await broker.connect();
    return await during(broker, () =>
      broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: 'urn:xmpp:ping' }))),
    );
  },
  shutdown: async () => {
    const broker = component();
    await broker.connect();
    return await during(broker, () => broker.shutdown());
  },
  'reconnect while ready': async () => {
    await using broker = component();
    await broker.connect();
    const names = await during(broker, () => broker.reconnect());
    return names.slice(0, names.indexOf('CONNECT') + 1);
  },
  'lost link': async () => {
    await using broker = component({ reconnect: { ...quick, firstDelayMs: 60_000, maxDelayMs: 60_000 } });
    await broker.connect();
    return await during(broker, async () => {
      const lost = broker.events.once('PCJ_RECONNECTING');
      server.cut('echo.localhost');
      await lost;
    });
  },
  'stream error': async () => {
    await using broker = component();
    await broker.connect();
    return await during(broker, async () => {
      const lost = broker.events.once('PCJ_SOCKETDISCONNECT');
      server.kick('echo.localhost', 'system-shutdown');
      await lost;
    });
  },
  'refused connection': async () => {
    await using spare = await LoopbackServer.start({ components: { 'echo.localhost': 'secret' } });
    const port = spare.ports.component;
    await spare.stop();
    await using broker = component({ port });
    return await during(broker, () => broker.connect().catch(() => undefined));
  },
  'refused sign-in': async () => {
    await using broker = component({ password: 'wrong' });
    return await during(broker, () => broker.connect().catch(() => undefined));
  },
  'refused certificate': async () => {
    await using broker = client({ tls: {} });
    return await during(broker, () => broker.connect().catch(() => undefined));
  },
};

describe('the orders of events in the documentation', () => {
  it.each(Object.keys(real))('%s', async (name) => {
    const order = await real[name]?.();
    expect(printed.get(name), `the order that is printed for "${name}"`).toEqual(order);
  });

  it('shows no order that is not checked here', () => {
    expect([...printed.keys()].filter((name) => !Object.hasOwn(real, name))).toEqual([]);
  });
});
