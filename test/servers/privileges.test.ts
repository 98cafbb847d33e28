import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import {
  Broker,
  Delegation,
  errorReply,
  JABBERD14_COMPONENT,
  Privileges,
  StanzaError,
  xml,
  type BrokerError,
  type Grants,
} from 'xmpp-broker';
import { describeServer, Ejabberd, Prosody, type TestServer } from './harness/index.js';
import { Client, foreign } from './support/foreign-client.js';

const DELEGATED = 'urn:example:delegated';

const PROSODY_EXTRA = `
VirtualHost "localhost"
  modules_enabled = { "privilege"; "delegation" }
  privileged_entities = { ["priv.localhost"] = { roster = "both"; message = "outgoing"; presence = "roster";
    iq = { ["urn:xmpp:ping"] = "get"; ["jabber:iq:version"] = "both" } } }
  delegations = { ["${DELEGATED}"] = { jid = "priv.localhost" } }
Component "priv.localhost"
  modules_enabled = { "privilege"; "delegation" }
`;

const SITES = [
  { name: 'prosody', version: 2, setsRosters: true, start: () => Prosody.start({ extra: PROSODY_EXTRA }) },
  { name: 'ejabberd', version: 1, setsRosters: false, start: () => Ejabberd.start({ delegated: [DELEGATED] }) },
] as const;

const brokers: Broker[] = [];

afterEach(async () => {
  for (const broker of brokers.splice(0)) {
    await broker.shutdown();
    broker.halt();
  }
});

interface Granted {
  readonly broker: Broker;
  readonly privileges: Privileges;
  readonly delegation: Delegation;
  readonly grants: Grants;
  readonly seen: string[];
}

/** A component that is ready and has heard what it may do. */
async function granted(server: TestServer): Promise<Granted> {
  const broker = new Broker({
    connectionType: JABBERD14_COMPONENT,
    host: '127.0.0.1',
    port: server.ports['component'] ?? 0,
    domain: 'priv.localhost',
    password: 'secret',
    answerRequests: true,
    logger: false,
  });
  brokers.push(broker);
  const seen: string[] = [];
  broker.subscribe('PCJ_NODERECEIVED', (node) => seen.push(`${node.localName} ${node.getAttribute('from') ?? ''}`));
  const told = vi.fn();
  const privileges = new Privileges(broker, { onGrants: told });
  const delegation = new Delegation(broker, {
    handlers: {
      [DELEGATED]: (iq, { from, to }) => {
        const what = iq.firstElementChild?.getAttribute('what');
        if (what === 'missing') throw new StanzaError(errorReply(iq, 'item-not-found'));
        if (what === 'bug') throw new Error('a bug in the handler');
        return xml('query', { xmlns: DELEGATED, from: from.toString(), to: to.toString() });
      },
    },
  });
  await broker.connect();
  await expect.poll(() => told.mock.calls.length > 0 && delegation.namespaces('localhost').size > 0).toBe(true);
  const grants = privileges.grants('localhost');
  if (grants === null) throw new Error('nothing was granted');
  return { broker, privileges, delegation, grants, seen };
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error as BrokerError).condition ?? (error as BrokerError).code,
  );

for (const site of SITES) {
  describeServer(site.name, 'a privileged component', () => {
    let server: TestServer<'starttls'>;

    beforeAll(async () => {
      server = await site.start();
    });

    afterAll(async () => {
      await server.dispose();
    });

    it(`modern 7.1 7.4: version ${String(site.version)} is announced, the questions are answered`, async () => {
      const { grants, delegation } = await granted(server);
      expect(grants).toMatchObject({ version: site.version, roster: 'both', message: true, presence: 'roster' });
      expect(delegation.namespaces('localhost').get(DELEGATED)).toEqual([]);
    });

    it('modern 7.8: reads rosters, and changes them where the server can', async () => {
      const { privileges } = await granted(server);
      const set = privileges.setRoster(
        'alice@localhost',
        xml('item', { jid: 'friend@priv.localhost', name: 'Friend' }),
      );
      expect(await codeOf(set)).toBe(site.setsRosters ? 'none' : 'internal-server-error');
      const roster = await privileges.roster('alice@localhost');
      const names = roster.children.map((item) => item.getAttribute('name'));
      expect(names).toEqual(site.setsRosters ? ['Friend'] : []);
    });

    it('modern 7.6: sends a message in the name of a user', async () => {
      const { privileges } = await granted(server);
      await using bob = await Client.online(server, 'bob');
      await bob.send(foreign('presence'));
      const body = xml('body', {}, 'not by alice herself');
      privileges.send(xml('message', { from: 'alice@localhost', to: 'bob@localhost', type: 'chat', id: 'p1' }, body));
      const message = await bob.received((stanza) => stanza.attrs['id'] === 'p1');
      expect(message.attrs['from']).toBe('alice@localhost');
      expect(message.getChildText('body')).toBe('not by alice herself');
    });

    it('sends requests in the name of a user where that is granted, and refuses what is not', async () => {
      const { privileges } = await granted(server);
      const ping = xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: 'urn:xmpp:ping' }));
      if (site.version === 1) {
        expect(await codeOf(privileges.request('alice@localhost', ping))).toBe('PRIVILEGE_NOT_GRANTED');
        return;
      }
      expect((await privileges.request('alice@localhost', ping)).getAttribute('type')).toBe('result');
      const away = xml('iq', { type: 'get', to: 'nobody@localhost/x' }, xml('ping', { xmlns: 'urn:xmpp:ping' }));
      expect(await codeOf(privileges.request('alice@localhost', away))).toBe('service-unavailable');
      const last = xml('iq', { type: 'get', to: 'localhost' }, xml('query', { xmlns: 'jabber:iq:last' }));
      expect(await codeOf(privileges.request('alice@localhost', last))).toBe('PRIVILEGE_NOT_GRANTED');
      // The stream is as it was.
      expect((await privileges.request('alice@localhost', ping)).getAttribute('type')).toBe('result');
    });

    it('answers what is delegated: a result, an error, a bug', async () => {
      const { broker } = await granted(server);
      const bugs = vi.fn();
      broker.subscribe('PCJ_HANDLERERROR', bugs);
      await using alice = await Client.online(server, 'alice');
      const ask = async (id: string, what: string): Promise<string> => {
        const query = foreign('query', { xmlns: DELEGATED, what });
        await alice.send(foreign('iq', { type: 'get', id, to: 'localhost' }, query));
        return (await alice.received((stanza) => stanza.attrs['id'] === id)).toString();
      };
      const answer = await ask('d1', 'answer');
      expect(answer).toContain(alice.jid);
      expect(answer).toMatch(/type="result"/);
      expect(await ask('d2', 'missing')).toContain('item-not-found');
      expect(await ask('d3', 'bug')).toContain('internal-server-error');
      await expect.poll(() => bugs.mock.calls.length === 1).toBe(true);
    });

    it('a user who pretends to be the server is not believed', async () => {
      const { privileges, seen } = await granted(server);
      const before = privileges.grants('localhost');
      // In the other version: the server's own module takes messages in its own away.
      await using mallory = await Client.online(server, 'bob', 'mallory');
      const privilege = foreign('privilege', { xmlns: `urn:xmpp:privilege:${String(3 - site.version)}` });
      await mallory.send(foreign('message', { to: 'priv.localhost', id: 'm1' }, privilege));
      await expect.poll(() => seen.includes(`message ${mallory.jid}`)).toBe(true);
      expect(privileges.grants('localhost')).toBe(before);
    });

    it('modern 7.5: a reconnect takes the grants, and they come again', async () => {
      const { broker, privileges, delegation } = await granted(server);
      await broker.shutdown();
      expect(privileges.grants('localhost')).toBeNull();
      expect(delegation.namespaces('localhost').size).toBe(0);
      await broker.connect();
      await expect.poll(() => privileges.grants('localhost') !== null).toBe(true);
      await expect.poll(() => delegation.namespaces('localhost').size > 0).toBe(true);
    });
  });
}
