import { describe, expect, it } from 'vitest';
import { NS, type BrokerOptions } from 'xmpp-broker';
import { authenticate, CLIENT, greet, iqId, JID } from './support/client.js';
import { BIND, type Dialled, failure, features, SM, TAIL, useRig } from './support/index.js';

const rig = useRig(CLIENT);

const SESSION = `<session xmlns='${NS.SESSION}'/>`;
const OPTIONAL = `<session xmlns='${NS.SESSION}'><optional/></session>`;

/** A client that has just sent its bind request. */
async function binding(options: Partial<BrokerOptions> = {}, after = features(BIND)): Promise<Dialled> {
  const client = await rig.dialled(options);
  await authenticate(client.server);
  await greet(client.server, after, { id: 'auth-1' });
  return client;
}

const bound = (id: string, jid = JID, attributes = '') =>
  `<iq type='result' id='${id}'${attributes}><bind xmlns='${NS.BIND}'><jid>${jid}</jid></bind></iq>`;
const refused = (id: string, condition: string, type = 'cancel') =>
  `<iq type='error' id='${id}'><error type='${type}'><${condition} xmlns='${NS.STANZAS}'/></error></iq>`;

describe('resource binding', () => {
  it('S-BIND-1: a server that offers none after authentication', async () => {
    const { connected, recorded } = await binding({}, features(SM));
    expect(await failure(connected)).toMatchObject({ code: 'BIND_NOT_OFFERED', layer: 'bind' });
    expect(recorded.short.slice(-5)).toEqual(['BINDFAIL', ...TAIL]);
  });

  it('S-BIND-1: an offer before authentication is not taken, and no stream is opened behind binding', async () => {
    const { server, connected } = await rig.dialled();
    await greet(server, features(BIND, `<mechanisms xmlns='${NS.SASL}'><mechanism>PLAIN</mechanism></mechanisms>`));
    await server.expect('</auth>');
    expect(server.received.toString()).not.toContain('<bind');
    await server.send(`<success xmlns='${NS.SASL}'/>`);
    await greet(server, features(BIND), { id: 'auth-1' });
    await server.send(bound(await iqId(server)));
    await connected;
    expect(server.unread).toBe('');
  });

  it('S-BIND-2: without a resource none is asked for; what the server says counts', async () => {
    const { server, connected, broker, recorded } = await binding();
    const [request] = await server.match(/<iq.*<\/iq>/);
    expect(request).not.toContain('<resource');
    const [, id = ''] = / id='([^']+)'/.exec(request) ?? [];
    await server.send(bound(id, 'alice@localhost/from-the-server'));
    await connected;
    expect(broker.jid?.toString()).toBe('alice@localhost/from-the-server');
    expect(recorded.last('PCJ_BINDSUCCESS')).toEqual({ jid: broker.jid });
  });

  it('S-BIND-2: what has the id and is no iq is no answer', async () => {
    const { server, connected, broker } = await binding();
    const id = await iqId(server);
    const other = bound(id, 'alice@localhost/wrong').replaceAll('iq', 'message');
    await server.send(other + bound(id));
    await connected;
    expect(broker.jid?.toString()).toBe(JID);
  });

  it('S-BIND-2: the server may override the wanted resource', async () => {
    const { server, connected, broker } = await binding({ resource: 'mine' });
    await server.expect('<resource>mine</resource>');
    const [, id = ''] = / id='([^']+)'[^>]*><bind/.exec(server.received.toString()) ?? [];
    await server.send(bound(id, 'alice@localhost/theirs'));
    await connected;
    expect(broker.jid?.resource).toBe('theirs');
  });

  it.each([
    ['of another domain', 'alice@other.example/x'],
    ['without a resource', 'alice@localhost'],
    ['with a resource of 4 KiB', `alice@localhost/${'r'.repeat(4_096)}`],
    ['that is empty', ''],
    ['that is none', '@localhost/x'],
    ['twice', 'alice@localhost/x</jid><jid>alice@localhost/y'],
  ])('S-BIND-3 A-NEG-12: a JID %s', async (_, jid) => {
    const { server, connected, recorded } = await binding();
    await server.send(bound(await iqId(server), jid));
    expect(await failure(connected)).toMatchObject({ code: 'BIND_BAD_JID', layer: 'bind' });
    expect(recorded.short.slice(-5)).toEqual(['BINDFAIL', ...TAIL]);
  });

  it.each(['', `<bind xmlns='${NS.BIND}'/>`, `<bind xmlns='urn:x'><jid>${JID}</jid></bind>`])(
    'S-BIND-3 A-NEG-12: a result with %j in it names no JID',
    async (inside) => {
      const { server, connected } = await binding();
      await server.send(`<iq type='result' id='${await iqId(server)}'>${inside}</iq>`);
      const error = await failure(connected);
      expect(error.code).toBe('BIND_BAD_JID');
      expect(error.message).toContain('it names 0 JIDs');
    },
  );

  it('S-BIND-4: a refusal without a condition', async () => {
    const { server, connected } = await binding();
    await server.send(`<iq type='error' id='${await iqId(server)}'/>`);
    expect(await failure(connected)).toMatchObject({ code: 'BIND_FAILED', condition: 'undefined-condition' });
  });

  it('S-BIND-3: another user of the domain is a warning', async () => {
    const { server, connected, broker, recorded } = await binding();
    await server.send(bound(await iqId(server), 'alice.smith@localhost/x'));
    await connected;
    expect(broker.jid?.local).toBe('alice.smith');
    expect(recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'BIND_OTHER_USER' });
  });

  it.each(['get', 'set', ''])('A-NEG-12: an iq of type %j with our id is no answer', async (type) => {
    const { server, connected, broker } = await binding();
    const id = await iqId(server);
    await server.send(`<iq type='${type}' id='${id}'><bind xmlns='${NS.BIND}'><jid>eve@localhost/x</jid></bind></iq>`);
    await server.send(bound(id));
    await connected;
    expect(broker.jid?.toString()).toBe(JID);
  });

  it('A-NEG-12: results for another id, of another sender, and twice', async () => {
    const wrongId = await binding({ timeouts: { bind: 80, close: 50 } });
    await iqId(wrongId.server);
    await wrongId.server.send(bound('another'));
    const late = await failure(wrongId.connected);
    expect(['BIND_TIMEOUT', 'STREAM_EARLY_STANZA']).toContain(late.code);

    const wrongSender = await binding();
    await wrongSender.server.send(bound(await iqId(wrongSender.server), JID, " from='evil@localhost/x'"));
    expect(await failure(wrongSender.connected)).toMatchObject({ code: 'BIND_BAD_JID' });

    const twice = await binding();
    const id = await iqId(twice.server);
    await twice.server.send(bound(id) + bound(id, 'alice@localhost/second'));
    await twice.connected;
    await twice.broker.events.once('PCJ_NODERECEIVED');
    expect(twice.broker.jid?.toString()).toBe(JID);
  });

  it.each([
    ['conflict', false],
    ['bad-request', false],
    ['not-allowed', false],
    ['resource-constraint', true],
  ])('S-BIND-4: %s, for a resource that the server chose', async (condition, retryable) => {
    const { server, connected } = await binding();
    await server.send(refused(await iqId(server), condition));
    expect(await failure(connected)).toMatchObject({ code: 'BIND_FAILED', condition, retryable });
  });

  it.each(['conflict', 'bad-request'])(
    'S-BIND-4: %s, for a resource of ours: the server chooses one',
    async (condition) => {
      const { server, connected, broker, recorded } = await binding({ resource: 'taken' });
      await server.send(refused(await iqId(server), condition));
      const [again] = await server.match(/<iq.*<\/iq>/);
      expect(again).not.toContain('<resource');
      const [, id = ''] = / id='([^']+)'/.exec(again) ?? [];
      await server.send(bound(id));
      await connected;
      expect(broker.jid?.toString()).toBe(JID);
      expect(recorded.short.filter((name) => name === 'BINDNEGOTIATE')).toHaveLength(1);
      expect(recorded.short).not.toContain('BINDFAIL');
    },
  );

  it('S-BIND-4: the tries are bounded', async () => {
    const { server, connected } = await binding({ resource: 'taken' });
    await server.send(refused(await iqId(server), 'conflict'));
    await server.send(refused(await iqId(server), 'conflict'));
    expect(await failure(connected)).toMatchObject({ code: 'BIND_FAILED', condition: 'conflict' });
    await server.expect('</stream:stream>');
    expect(server.received.toString().split('<bind ')).toHaveLength(3);
  });

  it('a server that never answers', async () => {
    const { server, connected } = await binding({ timeouts: { bind: 60, close: 50 } });
    await iqId(server);
    expect(await failure(connected)).toMatchObject({ code: 'BIND_TIMEOUT', phase: 'bind', retryable: true });
  });
});

describe('the old session', () => {
  it('S-BIND-5: only if offered and not optional', async () => {
    const optional = await binding({}, features(BIND, OPTIONAL));
    await optional.server.send(bound(await iqId(optional.server)));
    await optional.connected;
    expect(optional.recorded.short).not.toContain('SESSIONNEGOTIATE');

    const required = await binding({}, features(BIND, SESSION));
    await required.server.send(bound(await iqId(required.server)));
    const id = await iqId(required.server);
    await required.server.send(`<iq type='result' id='${id}'/>`);
    await required.connected;
    expect(required.recorded.short.slice(-6)).toEqual([
      ...['BINDSUCCESS', 'SESSIONNEGOTIATE', 'RTS_START', 'NODESENT(iq)', 'SESSIONSUCCESS', 'READY'],
    ]);
  });

  it('S-BIND-5: refused', async () => {
    const { server, connected, recorded } = await binding({}, features(BIND, SESSION));
    await server.send(bound(await iqId(server)));
    await server.send(refused(await iqId(server), 'internal-server-error', 'wait'));
    expect(await failure(connected)).toMatchObject({
      code: 'SESSION_FAILED',
      condition: 'internal-server-error',
      retryable: true,
    });
    expect(recorded.short.slice(-5)).toEqual(['SESSIONFAIL', ...TAIL]);
  });
});
