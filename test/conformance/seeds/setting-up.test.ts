import { describe, expect, test } from 'vitest';
import {
  Broker,
  Connection,
  JABBERD14_COMPONENT,
  JABBERD20_COMPONENT,
  LEGACY,
  NS,
  XMPP,
  type BrokerOptions,
} from 'xmpp-broker';
import { ScriptedPeer } from '../../wire/support/index.js';
import { received, say, useSite } from './site.js';

const site = useSite();

describe('setting up', () => {
  test('row 1: the constructor names what is missing, all of it, and opens no socket', () => {
    expect(() => new Broker({} as BrokerOptions)).toThrow(/connectionType is missing[\s\S]*domain is missing/);
    const make = () => new Broker({ connectionType: LEGACY, domain: 'localhost' });
    expect(make).toThrow(/username is missing[\s\S]*password is missing[\s\S]*resource is missing/);
    expect(site.server.connections).toEqual([]);
  });

  test('row 2: host and port that are dialled are independent of the domain', async () => {
    const broker = await site.ready(site.component('comp.localhost'));
    expect([broker.config.host, broker.config.domain]).toEqual(['127.0.0.1', 'comp.localhost']);
    expect(broker.jid?.domain).toBe('comp.localhost');
  });

  test("row 3: defaults of port, version and namespace; the resource is the server's, not a random one of ours (RFC 6120 §7.6 lets it choose)", async () => {
    expect(new Connection({ server: 'localhost', logger: false }).broker.config.port).toBe(5222);
    const config = ({ config: { version, xmlns } }: Broker) => [version, xmlns];
    expect(config(site.client())).toEqual(['1.0', 'jabber:client']);
    expect(config(site.legacy())).toEqual([undefined, 'jabber:client']);
    expect(config(site.component())).toEqual([undefined, 'jabber:component:accept']);
    expect(config(site.service())).toEqual(['1.0', NS.JABBERD2_COMPONENT]);
    const broker = await site.ready(site.client());
    expect(broker.config.resource).toBeUndefined();
    expect(broker.jid?.resource).toMatch(/.+/);
  });

  test('row 4: one option picks the dialect', async () => {
    const brokers = [site.client(), site.legacy('bob'), site.component(), site.service()];
    await Promise.all(brokers.map((broker) => broker.connect()));
    expect(brokers.map(({ config }) => config.connectionType)).toEqual([
      XMPP,
      LEGACY,
      JABBERD14_COMPONENT,
      JABBERD20_COMPONENT,
    ]);
    expect(brokers.map(({ state }) => state)).toEqual(['ready', 'ready', 'ready', 'ready']);
  });

  test('row 5: version, namespace and stream namespace can be overridden; option names are exact, not case-insensitive (a mistyped one is an error with a hint)', async () => {
    expect(() => site.component('comp.localhost', { Password: 'x' } as Partial<BrokerOptions>)).toThrow(
      /Password is no option; did you mean password/,
    );
    const broker = site.component('comp.localhost', { version: '1.0' });
    const header = site.server.events.once('received');
    await broker.connect();
    expect((await header).element.getAttribute('version')).toBe('1.0');
    const { config } = site.component('comp.localhost', { xmlns: 'u:x', stream: 'u:s' });
    expect([config.xmlns, config.stream]).toEqual(['u:x', 'u:s']);
  });

  test('row 6: debug shows each element out and in with its direction, without credentials', async () => {
    const lines: { direction?: string; xml?: string }[] = [];
    const nothing = () => undefined;
    const logger = { debug: (facts: object) => void lines.push(facts), info: nothing, warn: nothing, error: nothing };
    const broker = await site.ready(site.component('comp.localhost', { debug: true, logger }));
    const echo = received(broker, 1);
    broker.output(say('comp.localhost', 'to myself'));
    await echo;
    const shown = (direction: string) => lines.filter((line) => line.direction === direction).map((line) => line.xml);
    expect(shown('out').join()).toContain('to myself');
    expect(shown('in').join()).toContain('to myself');
    expect(shown('out').join()).toMatch(/<handshake[^>]*>\[redacted\]/);
    expect(JSON.stringify(lines)).not.toMatch(/[0-9a-f]{40}/);
  });

  test('row 7: nothing happens on the wire before connect', async () => {
    const peer = await ScriptedPeer.listen();
    const broker = site.component('comp.localhost', { port: peer.port });
    broker.output(say('peer.localhost', 'held'));
    broker.filters.add('any', '/*');
    await new Promise((resolve) => setImmediate(resolve));
    expect(peer.conversations).toEqual([]);
    await peer.close();
  });

  test('row 8: connect(host, port) goes somewhere else, and stays there', async () => {
    const broker = site.component('comp.localhost', { host: '127.0.0.9', port: 1 });
    await broker.connect({ host: '127.0.0.1', port: site.server.ports.component });
    await broker.shutdown();
    await broker.reconnect();
    expect(broker.state).toBe('ready');
    expect(broker.config.host).toBe('127.0.0.9');
  });
});
