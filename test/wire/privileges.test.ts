import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  Broker,
  Delegation,
  errorReply,
  JABBERD14_COMPONENT,
  NS,
  Privileges,
  StanzaError,
  xml,
  type BrokerError,
  type BrokerOptions,
  type DelegationOptions,
  type Grants,
  type PrivilegesOptions,
} from 'xmpp-broker';
import { ScriptedPeer, streamHeader, type Conversation } from './support/index.js';

const SECRET = 'r0m30';
const DOMAIN = 'svc.example.org';

const OPTIONS = {
  connectionType: JABBERD14_COMPONENT,
  host: '127.0.0.1',
  domain: DOMAIN,
  password: SECRET,
  reconnect: false,
  answerRequests: true,
  timeouts: { close: 100 },
  logger: false,
} as const;

const brokers: Broker[] = [];
const peers: ScriptedPeer[] = [];

afterEach(async () => {
  for (const broker of brokers.splice(0)) broker.halt();
  for (const peer of peers.splice(0)) await peer.close();
});

interface Site {
  readonly broker: Broker;
  readonly server: Conversation;
  readonly peer: ScriptedPeer;
}

/** A ready component; `prepare` gets the broker before it connects, `behind` comes with the handshake. */
async function ready(
  prepare: (broker: Broker) => void,
  behind = '',
  options: Partial<BrokerOptions> = {},
): Promise<Site> {
  const peer = await ScriptedPeer.listen({});
  peers.push(peer);
  const broker = new Broker({ ...OPTIONS, port: peer.port, ...options });
  brokers.push(broker);
  prepare(broker);
  const connected = broker.connect();
  const server = await peer.accept();
  await greet(server, behind);
  await connected;
  return { broker, server, peer };
}

async function greet(server: Conversation, behind = ''): Promise<void> {
  await server.expect(/<stream:stream[^>]*>/);
  await server.send(streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: 'S1', from: DOMAIN, version: null }));
  const digest = createHash('sha1').update(`S1${SECRET}`).digest('hex');
  await server.expect(`>${digest}</handshake>`);
  await server.send(`<handshake/>${behind}`);
}

const PERMS = {
  2:
    "<perm access='roster' type='both' push='true'/><perm access='message' type='outgoing'/><perm access='presence' type='roster'/>" +
    "<perm access='iq'><namespace ns='urn:a' type='get'><namespace ns='urn:b' type='both'><namespace ns='urn:c' type='set'/></namespace></namespace></perm>",
  1: "<perm access='roster' type='get'/><perm access='message' type='none'/>",
} as const;

const announce = (version: 1 | 2, from = 'example.org', perms: string = PERMS[version]): string =>
  `<message from='${from}' to='${DOMAIN}'><privilege xmlns='urn:xmpp:privilege:${String(version)}'>${perms}</privilege></message>`;

/** A site whose grants have arrived. */
async function privileged(
  behind = announce(2),
  options: PrivilegesOptions = {},
): Promise<Site & { privileges: Privileges; told: [string, Grants | null][] }> {
  const told: [string, Grants | null][] = [];
  let privileges: Privileges | null = null;
  const site = await ready((broker) => {
    privileges = new Privileges(broker, { onGrants: (server, grants) => told.push([server, grants]), ...options });
  }, behind);
  await expect.poll(() => told.length > 0).toBe(true);
  return { ...site, privileges: privileges as unknown as Privileges, told };
}

const failure = (work: () => unknown): Promise<BrokerError> =>
  new Promise((resolve) => {
    resolve(work());
  }).then(
    () => {
      throw new Error('it succeeded');
    },
    (error: unknown) => error as BrokerError,
  );

describe('Privileges: what is granted', () => {
  it('modern 7.1 7.2: version 2, told with the handshake, namespaces nested in one another', async () => {
    const { privileges } = await privileged();
    expect(privileges.grants('EXAMPLE.org')).toEqual({
      version: 2,
      roster: 'both',
      push: true,
      message: true,
      presence: 'roster',
      iq: new Map([
        ['urn:a', 'get'],
        ['urn:b', 'both'],
        ['urn:c', 'set'],
      ]),
    });
  });

  it('modern 7.7: the presence of all users comes at once, and all of it is delivered', async () => {
    const { broker, server } = await privileged();
    let seen = 0;
    const all = new Promise<void>((resolve) => {
      broker.subscribe('PCJ_NODERECEIVED', ({ localName }) => {
        if (localName === 'presence' && (seen += 1) === 5_000) resolve();
      });
    });
    await server.send(
      Array.from({ length: 5_000 }, (_, n) => `<presence from='u${String(n)}@example.org/x' to='${DOMAIN}'/>`).join(''),
    );
    await all;
    expect(broker.state).toBe('ready');
  });

  it('modern 7.1: version 1 is answered in version 1', async () => {
    const { privileges, server } = await privileged(
      announce(1, 'example.org', "<perm access='message' type='outgoing'/>"),
    );
    expect(privileges.grants('example.org')).toMatchObject({ version: 1, message: true, roster: 'none' });
    privileges.send(xml('message', { from: 'juliet@example.org', to: 'romeo@example.net' }, xml('body', {}, 'hi')));
    await server.expect(
      /<message from='svc\.example\.org' to='example\.org' id='\w+'><privilege xmlns='urn:xmpp:privilege:1'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='juliet@example\.org' to='romeo@example\.net'><body>hi<\/body><\/message><\/forwarded><\/privilege><\/message>/,
    );
  });

  it.each([
    ['a user', announce(2, 'mallory@example.org')],
    ['another domain', announce(2, 'example.net')],
    ['a domain below', announce(2, 'x.example.org')],
    ['the server with a resource', announce(2, 'example.org/x')],
    ['nobody', announce(2).replace("from='example.org' ", '')],
    ['the server, as an error', announce(2).replace('<message ', "<message type='error' ")],
  ])('S: an announcement of %s grants nothing and is an ordinary stanza', async (_, stanza) => {
    let privileges: Privileges | null = null;
    const seen: string[] = [];
    const { server } = await ready((broker) => {
      privileges = new Privileges(broker);
      broker.subscribe('PCJ_NODERECEIVED', ({ localName }) => seen.push(localName));
    }, stanza);
    await server.send(`<presence from='a@b' to='${DOMAIN}'/>`);
    await expect.poll(() => seen.includes('presence')).toBe(true);
    expect(seen).toContain('message');
    expect((privileges as unknown as Privileges).grants('example.org')).toBeNull();
  });

  it('modern 7.5: two servers have grants of their own, told twice or once; a lost link takes them all', async () => {
    const { privileges, told, server, broker } = await privileged(
      announce(2) + announce(2) + announce(1, 'example.net'),
      { servers: ['example.org', 'example.net'] },
    );
    await expect.poll(() => told.length === 3).toBe(true);
    expect(privileges.grants('example.org')?.version).toBe(2);
    expect(privileges.grants('example.net')?.version).toBe(1);
    server.end();
    await broker.closed;
    expect(told.slice(3)).toEqual([
      ['example.org', null],
      ['example.net', null],
    ]);
    expect((await failure(() => privileges.roster('juliet@example.org'))).code).toBe('PRIVILEGE_UNKNOWN');
  });
});

describe('Privileges: onGrants', () => {
  it('a promise that rejects is an error of a handler, when grants come and when they go', async () => {
    const failed = vi.fn();
    const { broker, server } = await ready((made) => {
      made.subscribe('PCJ_HANDLERERROR', failed);
      new Privileges(made, { onGrants: () => Promise.reject(new Error('oops')) });
    }, announce(2));
    await expect.poll(() => failed.mock.calls.length === 1).toBe(true);
    server.end();
    await broker.closed;
    await expect.poll(() => failed.mock.calls.length === 2).toBe(true);
  });
});

describe('Privileges: what it refuses before anything is written', () => {
  it.each<[string, string, (privileges: Privileges) => unknown]>([
    ['PRIVILEGE_UNKNOWN', 'a server that said nothing', (p) => p.roster('juliet@example.net')],
    ['PRIVILEGE_NOT_GRANTED', 'a roster', (p) => p.setRoster('juliet@example.org', xml('item', { jid: 'a@b' }))],
    ['PRIVILEGE_NOT_GRANTED', 'a message', (p) => p.send(xml('message', { from: 'juliet@example.org', to: 'a@b' }))],
    [
      'PRIVILEGE_NOT_GRANTED',
      'a request (modern 7.3: the server would write text into the stream)',
      (p) => p.request('juliet@example.org', xml('iq', { type: 'get' }, xml('q', { xmlns: 'urn:a' }))),
    ],
    ['USAGE_PRIVILEGE', 'a full address', (p) => p.roster('juliet@example.org/x')],
    ['USAGE_PRIVILEGE', 'no address', (p) => p.roster(7 as unknown as string)],
    ['USAGE_PRIVILEGE', 'a message with a full from', (p) => p.send(xml('message', { from: 'juliet@example.org/x' }))],
    ['USAGE_PRIVILEGE', 'a message without from', (p) => p.send(xml('message', { to: 'a@b' }))],
    ['USAGE_PRIVILEGE', 'a presence', (p) => p.send(xml('presence', { from: 'juliet@example.org' }))],
    ['USAGE_PRIVILEGE', 'a result', (p) => p.request('juliet@example.org', xml('iq', { type: 'result' }))],
    ['USAGE_PRIVILEGE', 'an empty request', (p) => p.request('juliet@example.org', xml('iq', { type: 'get' }))],
    [
      'USAGE_PRIVILEGE',
      'a request from somebody else',
      (p) =>
        p.request(
          'juliet@example.org',
          xml('iq', { type: 'get', from: 'x@example.org' }, xml('q', { xmlns: 'urn:a' })),
        ),
    ],
    ['USAGE_PRIVILEGE', 'no item', (p) => p.setRoster('juliet@example.org', xml('query'))],
  ])('%s: %s', async (code, _, act) => {
    const { privileges, server } = await privileged(announce(1));
    expect((await failure(() => act(privileges))).code).toBe(code);
    expect(server.unread).toBe('');
  });

  it.each([
    [{ servers: [] }],
    [{ servers: 'example.org' as unknown as string[] }],
    [{ servers: ['a@b'] }],
    [{ onGrants: 1 as unknown as () => void }],
    [{ server: ['x'] } as PrivilegesOptions],
  ])('USAGE_PRIVILEGE: options %j', (options) => {
    const broker = new Broker({ ...OPTIONS, port: 5347 });
    brokers.push(broker);
    expect(() => new Privileges(broker, options)).toThrow(
      expect.objectContaining({ code: 'USAGE_PRIVILEGE' }) as Error,
    );
  });
});

describe('Privileges: requests', () => {
  it('reads and changes a roster', async () => {
    const { privileges, server } = await privileged();
    const roster = privileges.roster('juliet@example.org');
    const [, id] = await server.match(
      /<iq type='get' id='(\w+)' from='svc\.example\.org' to='juliet@example\.org'><query xmlns='jabber:iq:roster'\/><\/iq>/,
    );
    await server.send(
      `<iq type='result' id='${id ?? ''}' from='juliet@example.org' to='${DOMAIN}'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>`,
    );
    expect((await roster).children.map((item) => item.getAttribute('jid'))).toEqual(['a@b']);
    const set = privileges.setRoster('juliet@example.org', xml('item', { jid: 'c@d', subscription: 'both' }));
    const [, next] = await server.match(
      /<iq type='set' id='(\w+)' [^>]*><query xmlns='jabber:iq:roster'><item jid='c@d' subscription='both'\/><\/query><\/iq>/,
    );
    await server.send(`<iq type='result' id='${next ?? ''}' from='juliet@example.org' to='${DOMAIN}'/>`);
    await expect(set).resolves.toBeUndefined();
  });

  const ask = (privileges: Privileges) =>
    privileges.request(
      'juliet@example.org',
      xml('iq', { type: 'get', to: 'example.net', id: 'inner' }, xml('q', { xmlns: 'urn:a' })),
    );
  const answerWith = async (server: Conversation, inside: string): Promise<void> => {
    const [, id] = await server.match(
      /<iq type='get' id='(\w+)' from='svc\.example\.org' to='juliet@example\.org'><privileged_iq xmlns='urn:xmpp:privilege:2'><iq xmlns='jabber:client' type='get' to='example\.net' id='inner'><q xmlns='urn:a'\/><\/iq><\/privileged_iq><\/iq>/,
    );
    await server.send(
      `<iq type='result' id='${id ?? ''}' from='juliet@example.org' to='${DOMAIN}'><privilege xmlns='urn:xmpp:privilege:2'><forwarded xmlns='urn:xmpp:forward:0'>${inside}</forwarded></privilege></iq>`,
    );
  };

  it('gives the answer that the user would have got', async () => {
    const { privileges, server } = await privileged();
    const answer = ask(privileges);
    await answerWith(
      server,
      "<iq xmlns='jabber:client' type='result' id='inner' from='example.net'><r xmlns='urn:a'/></iq>",
    );
    expect((await answer).firstElementChild?.localName).toBe('r');
  });

  it('rejects with the error that the user would have got', async () => {
    const { privileges, server } = await privileged();
    const answer = failure(() => ask(privileges));
    await answerWith(
      server,
      "<iq xmlns='jabber:client' type='error' id='inner' from='example.net'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
    );
    const error = await answer;
    expect(error).toBeInstanceOf(StanzaError);
    expect(error.condition).toBe('item-not-found');
  });

  it.each([
    ['nothing', ''],
    ['a message', "<message xmlns='jabber:client' id='inner'/>"],
    ['another id', "<iq xmlns='jabber:client' type='result' id='other'/>"],
    ['two', "<iq xmlns='jabber:client' type='result' id='inner'/>".repeat(2)],
  ])('PRIVILEGE_BAD_ANSWER: %s inside', async (_, inside) => {
    const { privileges, server } = await privileged();
    const answer = failure(() => ask(privileges));
    await answerWith(server, inside);
    expect((await answer).code).toBe('PRIVILEGE_BAD_ANSWER');
  });

  it('modern 7.3: text in the stream behind a refusal ends the stream with a clear error', async () => {
    const { broker, server, privileges } = await privileged();
    const answer = failure(() => ask(privileges));
    const [, id] = await server.match(/<iq type='get' id='(\w+)'/);
    await server.send(
      `<iq type='error' id='${id ?? ''}' from='juliet@example.org' to='${DOMAIN}'><error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>297`,
    );
    expect((await answer).condition).toBe('forbidden');
    await server.send(`<presence to='${DOMAIN}' from='a@b'/>`);
    expect((await broker.closed).error?.code).toBe('XML_STREAM_TEXT');
  });
});

const question = (node: string, id = 'q1', from = 'example.org'): string =>
  `<iq type='get' from='${from}' to='${DOMAIN}' id='${id}'><query xmlns='${NS.DISCO_INFO}' node='${node}'/></iq>`;

const forward = (inner: string, version = 2, from = 'example.org', id = 'o1'): string =>
  `<iq type='set' from='${from}' to='${DOMAIN}' id='${id}'><delegation xmlns='urn:xmpp:delegation:${String(version)}'><forwarded xmlns='urn:xmpp:forward:0'>${inner}</forwarded></delegation></iq>`;

const INNER = "<iq xmlns='jabber:client' type='get' id='i1' from='juliet@example.org/b'><q xmlns='urn:a'/></iq>";

async function delegated(options: Partial<DelegationOptions> = {}, behind = '', broker: Partial<BrokerOptions> = {}) {
  let delegation: Delegation | null = null;
  const site = await ready(
    (made) => {
      delegation = new Delegation(made, { handlers: { 'urn:a': () => xml('r', { xmlns: 'urn:a' }) }, ...options });
    },
    behind,
    broker,
  );
  return { ...site, delegation: delegation as unknown as Delegation };
}

describe('Delegation', () => {
  it('modern 7.4: questions that come with the handshake are answered, in both versions, for the server and its users', async () => {
    const { server } = await delegated(
      {
        disco: (namespace, bare) => ({
          features: [`${namespace}#${bare ? 'bare' : 'server'}`],
          identities: bare ? [] : [{ category: 'pubsub', type: 'pep' }],
        }),
      },
      question('urn:xmpp:delegation:2::urn:a') + question('urn:xmpp:delegation:1:bare:urn:a', 'q2'),
    );
    await server.expect(
      `<iq type='result' id='q1' from='${DOMAIN}' to='example.org'><query xmlns='${NS.DISCO_INFO}' node='urn:xmpp:delegation:2::urn:a'><identity category='pubsub' type='pep'/><feature var='urn:a#server'/></query></iq>`,
    );
    await server.expect(
      `<iq type='result' id='q2' from='${DOMAIN}' to='example.org'><query xmlns='${NS.DISCO_INFO}' node='urn:xmpp:delegation:1:bare:urn:a'><feature var='urn:a#bare'/></query></iq>`,
    );
  });

  it.each([
    ['another node', question('urn:other')],
    ['a namespace without handler', question('urn:xmpp:delegation:2::urn:z')],
    ['a user', question('urn:xmpp:delegation:2::urn:a', 'q1', 'mallory@example.org')],
    ['a forwarded request from a user', forward(INNER, 2, 'mallory@example.org', 'q1')],
    ['a forwarded request from another domain', forward(INNER, 2, 'example.net', 'q1')],
  ])('leaves %s alone: the broker refuses it', async (_, stanza) => {
    const handler = vi.fn();
    const { server } = await delegated({ handlers: { 'urn:a': handler } }, stanza);
    await server.expect(/<iq type='error' id='q1'[^>]*>.*<service-unavailable/);
    expect(handler).not.toHaveBeenCalled();
  });

  it('knows what is delegated, and forgets it with the link', async () => {
    const { delegation, server, broker } = await delegated(
      {},
      `<message from='example.org' to='${DOMAIN}'><delegation xmlns='urn:xmpp:delegation:2'><delegated namespace='urn:a'/><delegated namespace='urn:f'><attribute name='node'/></delegated></delegation></message>`,
    );
    await expect.poll(() => delegation.namespaces('example.org').size > 0).toBe(true);
    expect(delegation.namespaces('example.org')).toEqual(
      new Map([
        ['urn:a', []],
        ['urn:f', ['node']],
      ]),
    );
    server.end();
    await broker.closed;
    expect(delegation.namespaces('example.org').size).toBe(0);
  });

  it.each([1, 2])('answers a forwarded request in version %i, once, with addresses swapped', async (version) => {
    const { server } = await delegated(
      {
        handlers: {
          'urn:a': async (iq, { from, to, server: host }) => {
            await Promise.resolve();
            return xml('r', {
              xmlns: 'urn:a',
              who: from.toString(),
              at: to.toString(),
              host,
              id: iq.getAttribute('id'),
            });
          },
        },
      },
      forward(INNER, version),
    );
    await server.expect(
      `<iq type='result' id='o1' from='${DOMAIN}' to='example.org'><delegation xmlns='urn:xmpp:delegation:${String(version)}'><forwarded xmlns='urn:xmpp:forward:0'>` +
        `<iq xmlns='jabber:client' type='result' id='i1' to='juliet@example.org/b' from='juliet@example.org'><r xmlns='urn:a' who='juliet@example.org/b' at='juliet@example.org' host='example.org' id='i1'/></iq>` +
        `</forwarded></delegation></iq>`,
    );
    await server.send(`<iq type='get' id='end' from='a@b' to='${DOMAIN}'><x xmlns='urn:end'/></iq>`);
    expect(await server.expect(/<iq type='error' id='end'/)).not.toContain('o1');
  });

  it.each<[string, DelegationOptions['handlers'], string, number]>([
    [
      'throws a StanzaError',
      {
        'urn:a': (iq) => {
          throw new StanzaError(errorReply(iq, 'item-not-found', { text: 'no' }));
        },
      },
      'item-not-found',
      0,
    ],
    [
      'throws something else',
      {
        'urn:a': () => {
          throw new Error('oops');
        },
      },
      'internal-server-error',
      1,
    ],
    ['rejects', { 'urn:a': () => Promise.reject(new Error('oops')) }, 'internal-server-error', 1],
    ['never settles', { 'urn:a': () => new Promise(() => undefined) }, 'service-unavailable', 0],
    ['is not there', { 'urn:z': () => undefined }, 'service-unavailable', 0],
  ])('one answer when the handler %s', async (_, handlers, condition, faults) => {
    const failed = vi.fn();
    const { server, broker } = await delegated({ handlers }, '', { timeouts: { close: 100, request: 100 } });
    broker.subscribe('PCJ_HANDLERERROR', failed);
    await server.send(forward(INNER));
    const answer = await server.expect(/<iq type='result' id='o1'.*?<\/delegation><\/iq>/);
    expect(answer).toContain(`<${condition} xmlns`);
    expect(answer).toContain("type='error' id='i1' to='juliet@example.org/b' from='juliet@example.org'");
    await expect.poll(() => failed.mock.calls.length === faults).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['a message', "<message xmlns='jabber:client'/>"],
    ['a result', INNER.replace("'get'", "'result'")],
    ['a request from nobody', INNER.replace("from='juliet@example.org/b'", '')],
    ['two requests', INNER + INNER],
  ])('refuses a forwarded %s as bad-request', async (_, inner) => {
    const { server } = await delegated({}, forward(inner));
    await server.expect(/<iq type='error' id='o1'.*<bad-request/);
  });

  it('sends no answer on the link that follows', async () => {
    let answer: (() => void) | null = null;
    const { server, broker, peer } = await delegated({
      handlers: { 'urn:a': () => new Promise((resolve) => (answer = () => resolve(undefined))) },
    });
    await server.send(forward(INNER));
    await expect.poll(() => answer !== null).toBe(true);
    const again = broker.reconnect();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    const next = await peer.accept();
    await greet(next);
    await again;
    (answer as unknown as () => void)();
    await next.send(`<iq type='get' id='end' from='a@b' to='${DOMAIN}'><x xmlns='urn:end'/></iq>`);
    expect(await next.expect(/<iq type='error' id='end'/)).not.toContain('delegation');
  });

  it.each([[{}], [{ handlers: {} }], [{ handlers: { a: 1 } }], [{ handlers: { a: () => undefined }, disco: 1 }]])(
    'USAGE_PRIVILEGE: options %j',
    (options) => {
      const broker = new Broker({ ...OPTIONS, port: 5347 });
      brokers.push(broker);
      expect(() => new Delegation(broker, options as unknown as DelegationOptions)).toThrow(
        expect.objectContaining({ code: 'USAGE_PRIVILEGE' }) as Error,
      );
    },
  );
});
