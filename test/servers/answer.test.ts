// Requests of others, answered on real servers: one answer each, and what service discovery says, seen by other libraries.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMPONENT, NS, reply, serveDisco, StanzaError, XMPP, xml, type Broker, type BrokerOptions } from 'xmpp-broker';
import { Slixmpp } from '../support/slixmpp.js';
import { describeServer, Proxy, sharedServer, type TestServer } from './harness/index.js';
import { CLIENT_SITES, Clients } from './support/client-site.js';
import { SITES } from './support/component-site.js';
import { Client, foreign, type ForeignElement } from './support/foreign-client.js';

const NODE = 'https://example.org/answerer';
const FEATURES = [NS.CAPS, NS.DISCO_INFO, NS.DISCO_ITEMS, NS.IQ_VERSION, 'urn:test:more', 'urn:test:now'].sort();

/** What handlers do, by the last part of the namespace that they answer, and what the asker gets. */
const CASES = [
  ['now', 'result'],
  ['later', 'result'],
  ['nothing', 'result'],
  ['forbidden', 'forbidden'],
  ['broken', 'internal-server-error'],
  ['rejected', 'internal-server-error'],
  ['never', 'resource-constraint'],
  ['itself', 'result'],
  ['itself-and-fails', 'result'],
  ['nobody', 'service-unavailable'],
] as const;

const payload = (what: string) => xml('done', { xmlns: `urn:test:${what}` });

function register(broker: Broker): void {
  const on = (what: string, handler: Parameters<Broker['answer']>[2], timeout?: number) =>
    broker.answer('get', { namespace: `urn:test:${what}`, name: 'q' }, handler, { timeout });
  on('now', () => payload('now'));
  on('later', async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return payload('later');
  });
  on('nothing', () => undefined);
  on('forbidden', () => Promise.reject(new StanzaError('forbidden')));
  on('broken', () => {
    throw new Error('broken');
  });
  on('rejected', () => Promise.reject(new Error('rejected')));
  on('never', () => new Promise(() => undefined), 100);
  on('itself', (_, iq) => {
    broker.output(reply(iq, payload('itself')));
    return payload('again');
  });
  on('itself-and-fails', (_, iq) => {
    broker.output(reply(iq, payload('itself-and-fails')));
    throw new StanzaError('conflict');
  });
}

/** What an answer says: `result`, or the condition of an error. */
function outcome(answer: ForeignElement): string {
  if (answer.attrs['type'] === 'result') return 'result';
  return (
    /<error[^>]*>.*?<([a-z-]+) xmlns=['"]urn:ietf:params:xml:ns:xmpp-stanzas['"]/.exec(answer.toString())?.[1] ?? '?'
  );
}

const ask = (to: string, id: string, what: string) =>
  foreign('iq', { type: 'get', id, to }, foreign('q', { xmlns: `urn:test:${what}` }));

for (const { name, start, managed } of CLIENT_SITES) {
  const served = sharedServer(start);
  for (const role of ['client', 'component'] as const) {
    const port = SITES.find((site) => site.name === name)?.port ?? (() => 0);
    describeServer(name, `answering as a ${role}`, () => {
      let server: TestServer<'starttls' | 'directTls'>;
      let proxy: Proxy;
      let broker: Broker;
      let bob: Client;
      const clients = new Clients();
      const address = role === 'client' ? 'alice@localhost/bot' : 'comp.localhost';

      beforeAll(async () => {
        server = await served();
        proxy = await Proxy.listen(role === 'client' ? server.ports.starttls : port(server));
        const as: Partial<BrokerOptions> =
          role === 'client'
            ? { connectionType: XMPP, resource: 'bot' }
            : {
                connectionType: COMPONENT,
                domain: 'comp.localhost',
                username: undefined,
                tls: undefined,
                answerRequests: true,
              };
        ({ broker } = await clients.ready(server, { ...as, port: proxy.port }));
        register(broker);
        bob = await Client.online(server, 'bob');
      });
      afterAll(async () => {
        await bob[Symbol.asyncDispose]();
        await clients[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      });

      /** All that came back for an id, once an answer to a later request is here. */
      async function answers(id: string): Promise<string[]> {
        const end = `${id} end`;
        await bob.send(ask(address, end, 'now'));
        await bob.received((stanza) => stanza.attrs['id'] === end);
        return bob.stanzas.filter((stanza) => stanza.attrs['id'] === id).map(outcome);
      }

      test.each(CASES)('one answer where the handler is "%s": %s', async (what, wanted) => {
        const id = `one ${what}`;
        await bob.send(ask(address, id, what));
        const answer = await bob.received((stanza) => stanza.attrs['id'] === id);
        if (wanted === 'result' && what !== 'nothing')
          expect(answer.getChild('done', `urn:test:${what}`)).toBeDefined();
        expect(await answers(id)).toEqual([wanted]);
      });

      test('one answer each where all are asked at once', async () => {
        for (const [what] of CASES) await bob.send(ask(address, `all ${what}`, what));
        for (const [what] of CASES) await bob.received((stanza) => stanza.attrs['id'] === `all ${what}`);
        for (const [what, wanted] of CASES) expect([what, await answers(`all ${what}`)]).toEqual([what, [wanted]]);
      });

      test('one answer at most where the link dies in between: on the session that goes on, or from nobody', async () => {
        let release = (): void => undefined;
        const released = new Promise<void>((resolve) => (release = resolve));
        const asked = new Promise<void>((resolve) => {
          broker.answer('get', { namespace: 'urn:test:cut' }, async () => {
            resolve();
            await released;
            return payload('cut');
          });
        });
        await bob.send(ask(address, 'cut', 'cut'));
        await asked;
        const ready = broker.events.once('PCJ_READY');
        proxy.links.at(-1)?.cut();
        const { resumed } = await ready;
        expect(resumed).toBe(role === 'client' && managed);
        release();
        if (resumed) await bob.received((stanza) => stanza.attrs['id'] === 'cut');
        const found = await answers('cut');
        if (resumed) expect(found).toEqual(['result']);
        // A server may tell that it could not deliver the request.
        else expect(found.filter((one) => one === 'result')).toEqual([]);
        expect(found.length).toBeLessThan(2);
      });

      // jabberd2 answers for its accounts itself, also where a full address is asked.
      if (role === 'client' && name === 'jabberd2') return;
      describe('service discovery', () => {
        beforeAll(() => {
          broker.answer('get', { namespace: NS.IQ_VERSION, name: 'query' }, () =>
            xml('query', { xmlns: NS.IQ_VERSION }, xml('name', {}, 'Answerer'), xml('version', {}, '7')),
          );
        });
        const identities = [{ category: 'client', type: 'bot', name: 'Answerer <&>', lang: 'en' }];

        test('@xmpp/client sees it', async () => {
          using disco = serveDisco(broker, {
            identities,
            features: ['urn:test:more'],
            items: [{ jid: 'a.b', name: 'A' }],
          });
          const request = (xmlns: string, node?: string) =>
            bob.entity.iqCaller.request(
              foreign(
                'iq',
                { type: 'get', to: address },
                foreign('query', node === undefined ? { xmlns } : { xmlns, node }),
              ),
              30_000,
            );
          const info = String(await request(NS.DISCO_INFO));
          expect(disco.features).toContain('urn:test:more');
          expect(info).toContain('name="Answerer &lt;&amp;&gt;"');
          for (const feature of ['urn:test:more', 'urn:test:now', NS.IQ_VERSION, NS.DISCO_INFO])
            expect(info).toContain(`<feature var="${feature}"/>`);
          expect(String(await request(NS.DISCO_ITEMS))).toMatch(/<item (?=[^>]*jid="a\.b")(?=[^>]*name="A")/);
          await expect(request(NS.DISCO_INFO, 'urn:unknown')).rejects.toMatchObject({ condition: 'item-not-found' });
          expect(String(await request(NS.IQ_VERSION))).toContain('<name>Answerer</name><version>7</version>');
        });

        describeServer('slixmpp', 'service discovery', () => {
          test('slixmpp sees it, and finds the hash of the caps right', async () => {
            using disco = serveDisco(broker, {
              identities,
              features: ['urn:test:more'],
              items: [{ jid: 'a.b', name: 'A' }],
              node: NODE,
            });
            await using other = await Slixmpp.online({
              host: server.host,
              port: server.ports.starttls,
              jid: 'bob@localhost/slixmpp',
              password: 'secret',
              authority: join(server.directory, 'tls/ca.pem'),
            });
            const info = (await other.ask('info', { to: address })) as { features: string[] };
            expect(info).toMatchObject({ identities: [['client', 'bot', 'en', 'Answerer <&>']] });
            expect(info.features).toEqual(expect.arrayContaining(FEATURES));
            expect(await other.ask('items', { to: address })).toEqual([['a.b', null, 'A']]);
            expect(await other.ask('version', { to: address })).toEqual({ name: 'Answerer', version: '7' });
            broker.output(xml('presence', { from: role === 'client' ? null : address, to: other.jid }, disco.caps()));
            const caps = (await other.ask('caps', { to: address })) as { version: string; features: string[] };
            expect(caps.version).toBe(disco.caps().getAttribute('ver'));
            expect(caps.features).toEqual([...disco.features]);
            await expect(other.ask('info', { to: address, node: 'urn:unknown' })).rejects.toThrow('item-not-found');
          });
        });
      });
    });
  }
}
