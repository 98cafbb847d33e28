import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Broker, LEGACY, NS, StanzaError, xml, type BrokerOptions } from 'xmpp-broker';
import { failure, features, mechanisms, OPENING, streamHeader, TAIL, trace, useRig } from './support/index.js';
import {
  DOMAIN,
  FIELDS,
  header,
  LEGACY_CLIENT,
  offer,
  open,
  PASSWORD,
  query,
  readIq,
  result,
  SUCCESS,
} from './support/legacy.js';

const rig = useRig(LEGACY_CLIENT);

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');
const SASL_FEATURES = features(mechanisms('PLAIN'));

describe('signing in with jabber:iq:auth', () => {
  it('S-LEG-2 S-LEG-3: asks for the fields, then sends the digest; golden order', async () => {
    const { broker, recorded, connected, server } = await rig.dialled();
    const opened = await open(server);
    expect(opened).toContain("xmlns='jabber:client'");
    expect(opened).not.toMatch(/ (version|id|from)=/);
    const get = await readIq(server);
    expect(get.text).toContain(`to='${DOMAIN}'`);
    expect(get.text).toContain("<query xmlns='jabber:iq:auth'><username>juliet</username></query>");
    await server.send(result(get.id, query(`${FIELDS}<digest/><password/>`)));
    const set = await readIq(server);
    expect(set.text).toContain("type='set'");
    expect(set.text).toContain(
      `<query xmlns='jabber:iq:auth'><username>juliet</username><digest>${sha1(`S1${PASSWORD}`)}</digest><resource>balcony</resource></query>`,
    );
    await server.send(result(set.id));
    await connected;
    expect(recorded.short).toEqual(SUCCESS);
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'digest' });
    expect(broker.jid?.toString()).toBe(`juliet@${DOMAIN}/balcony`);
    expect(broker.sid).toBe('S1');
  });

  it('S-LEG-3: the id is hashed as it is after unescaping', async () => {
    const { connected, server } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(header('a&amp;b '));
    const set = await offer(server, '<digest/>');
    expect(set.text).toContain(sha1(`a&b ${PASSWORD}`));
    await server.send(result(set.id));
    await connected;
  });

  it('prefers zero-knowledge (vectors of the old library)', async () => {
    const { connected, server } = await rig.dialled({ password: 'pass' });
    await open(server);
    const set = await offer(server, '<password/><digest/><sequence>3</sequence><token>TOK</token>');
    expect(set.text).toContain('<hash>ce497dc326b7a8d3b221aea61b14737015f53537</hash>');
    expect(set.text).not.toContain('<digest>');
    await server.send(result(set.id));
    await connected;
  });

  it('accepts a fields answer that comes byte by byte, with features in front and white space between', async () => {
    const { connected, server } = await rig.dialled();
    await open(server, 'S1', '<stream:features/>');
    const get = await readIq(server);
    await server.sendSplit(`\n <iq type='result' id='${get.id}'>${query(`${FIELDS}<digest/>`)}</iq>\n`, [1]);
    const set = await readIq(server);
    await server.send(result(set.id));
    await connected;
  });

  it('NODESENT shows no credentials, not even as a digest', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer);
    const seen: string[] = [];
    broker.subscribe('PCJ_NODESENT', (node) => void seen.push(node.localName === 'stream' ? '' : node.toString()));
    const connected = broker.connect();
    const server = await peer.accept();
    await open(server);
    const set = await offer(server, '<digest/>');
    await server.send(result(set.id));
    await connected;
    expect(seen).toHaveLength(3);
    expect(seen.join()).not.toContain(sha1(`S1${PASSWORD}`));
    expect(seen[2]).toContain('[redacted]');
  });

  it.each(['message', 'presence'])('S-LEG-3: <%s/> with the id is no answer', async (name) => {
    const { connected, server } = await rig.dialled();
    await open(server);
    const get = await readIq(server);
    await server.send(`<${name} type='error' id='${get.id}'/>`);
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_EARLY_STANZA' });
  });

  it('S-LEG-3: an iq of another namespace with the id is no answer', async () => {
    const { connected, server } = await rig.dialled();
    await open(server);
    const get = await readIq(server);
    await server.send(`<iq xmlns='urn:x' type='error' id='${get.id}'/>${result(get.id, query('<digest/>'))}`);
    const set = await readIq(server);
    await server.send(result(set.id));
    await connected;
  });

  it('what arrives right behind the result is delivered after READY', async () => {
    const { broker, recorded, connected, server } = await rig.dialled();
    await open(server);
    const set = await offer(server, '<digest/>');
    const received = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`${result(set.id)}<message from='romeo@${DOMAIN}'><body>art thou</body></message>`);
    await connected;
    expect((await received).getChildText('body')).toBe('art thou');
    expect(recorded.short).toEqual([...SUCCESS, 'NODERECEIVED']);
  });

  it('a user name with special characters is escaped in the address only', async () => {
    const { broker, connected, server } = await rig.dialled({ username: "d'artagnan" });
    await open(server);
    const get = await readIq(server);
    await server.send(result(get.id, query(`${FIELDS}<digest/>`)));
    const set = await readIq(server);
    await server.send(result(set.id));
    await connected;
    expect(broker.jid?.toString()).toBe(`d\\27artagnan@${DOMAIN}/balcony`);
  });

  it('requests, filters and shutdown work as on every dialect', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const answer = broker.request(xml('iq', { type: 'get', to: DOMAIN }, xml('ping', { xmlns: NS.PING })));
    const ping = await server.expect(/<iq .*?<\/iq>/s);
    const id = /id='([^']+)'/.exec(ping)![1]!;
    await server.send(`<iq type='result' id='${id}' from='${DOMAIN}'/>`);
    expect((await answer).getAttribute('type')).toBe('result');
    const closing = broker.shutdown();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    await closing;
    expect(recorded.short).toEqual([
      'RTS_START',
      'NODESENT(iq)',
      'RTS_FINISH',
      'STREAMEND',
      'SHUTDOWN_START',
      'SOCKETDISCONNECT',
      'SHUTDOWN_FINISH',
    ]);
  });

  it('a second connection starts from nothing: new id, new fields', async () => {
    const { broker, server, peer } = await rig.ready();
    const again = broker.reconnect();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    const second = await peer.accept();
    await open(second, 'S2');
    const set = await offer(second, '<digest/>');
    expect(set.text).toContain(sha1(`S2${PASSWORD}`));
    await second.send(result(set.id));
    await again;
    expect(broker.sid).toBe('S2');
  });
});

describe('the password itself', () => {
  it('S-LEG-4 A-NEG-17: is not sent in clear; nothing is written after the refusal but the end', async () => {
    const { recorded, connected, server } = await rig.dialled();
    await open(server);
    const get = await readIq(server);
    await server.send(result(get.id, query(`${FIELDS}<password/>`)));
    expect(await failure(connected)).toMatchObject({
      code: 'LEGACY_PLAINTEXT_REFUSED',
      phase: 'auth',
      retryable: false,
    });
    await server.expect('</stream:stream>');
    expect(server.received.toString()).not.toContain(PASSWORD);
    expect(recorded.short.slice(-5)).toEqual(['AUTHFAIL', ...TAIL]);
  });

  it('S-LEG-4: is sent in clear only when the option says so in words', async () => {
    const connectionType = LEGACY.with({ allowPlaintextPassword: 'over-unverified-link' });
    const { connected, server } = await rig.dialled({ connectionType });
    await open(server);
    const set = await offer(server, '<password/>');
    expect(set.text).toContain(`<password>${PASSWORD}</password>`);
    await server.send(result(set.id));
    await connected;
  });

  it('S-LEG-4 A-NEG-17: a refused digest is not followed by the password', async () => {
    const connectionType = LEGACY.with({ allowPlaintextPassword: 'over-unverified-link' });
    const { connected, server } = await rig.dialled({ connectionType });
    await open(server);
    const set = await offer(server, '<password/><digest/>');
    await server.send(`<iq type='error' id='${set.id}'>${query('<password/>')}<error code='401'/></iq>`);
    expect(await failure(connected)).toMatchObject({ code: 'LEGACY_REFUSED', condition: 'not-authorized' });
    await server.expect('</stream:stream>');
    expect(server.received.toString()).not.toContain(PASSWORD);
  });

  it('S-LEG-4: unverified TLS is not enough', async () => {
    const { connected, server } = await rig.dialled({ tls: { insecureSkipVerify: true } }, 'direct');
    await open(server);
    const get = await readIq(server);
    await server.send(result(get.id, query(`${FIELDS}<password/>`)));
    expect(await failure(connected)).toMatchObject({ code: 'LEGACY_PLAINTEXT_REFUSED' });
  });

  it('is sent inside verified TLS', async () => {
    const { recorded, connected, server } = await rig.dialled({}, 'direct');
    await open(server);
    const set = await offer(server, '<password/>');
    expect(set.text).toContain(`<password>${PASSWORD}</password>`);
    await server.send(result(set.id));
    await connected;
    expect(recorded.short).toEqual([...SUCCESS.slice(0, 3), 'SSLNEGOTIATE', 'SSLSUCCESS', ...SUCCESS.slice(3)]);
  });
});

describe('refusals', () => {
  it.each([
    ['S-LEG-6 A-NEG-17: 401 of old', "<error code='401'/>", 'not-authorized', false],
    ['S-LEG-6: 409 of old', "<error code='409'>Conflict</error>", 'conflict', true],
    ['S-LEG-6: 406 of old', "<error code='406'/>", 'not-acceptable', false],
    [
      'S-LEG-6: the new style',
      `<error type='auth'><not-authorized xmlns='${NS.STANZAS}'/><text xmlns='${NS.STANZAS}'>no</text></error>`,
      'not-authorized',
      false,
    ],
    ['an error without anything', '', 'undefined-condition', false],
  ])('%s is AUTHFAIL with its condition', async (_, error, condition, retryable) => {
    const { broker, recorded, connected, server } = await rig.dialled();
    await open(server);
    const set = await offer(server, '<digest/>');
    await server.send(`<iq type='error' id='${set.id}'>${error}</iq>`);
    const caught = await failure(connected);
    expect(caught).toMatchObject({ code: 'LEGACY_REFUSED', layer: 'sasl', condition, retryable, dialect: 'LEGACY' });
    expect(caught.cause).toBeInstanceOf(StanzaError);
    await server.expect('</stream:stream>');
    expect(recorded.short.slice(-5)).toEqual(['AUTHFAIL', ...TAIL]);
    expect(broker.state).toBe('disconnected');
  });

  it('A-NEG-17: an error to the request for the fields is AUTHFAIL, not a crash', async () => {
    const { connected, server } = await rig.dialled();
    await open(server);
    const get = await readIq(server);
    await server.send(`<iq type='error' id='${get.id}'><error code='404'/></iq>`);
    expect(await failure(connected)).toMatchObject({ code: 'LEGACY_REFUSED', condition: 'item-not-found' });
    expect(server.received.toString()).not.toContain("type='set'");
  });

  it('A-NEG-17: a result that lists fields is not a success', async () => {
    const { recorded, connected, server } = await rig.dialled();
    await open(server);
    const set = await offer(server, '<digest/>');
    await server.send(result(set.id, query(`${FIELDS}<password/>`)));
    expect(await failure(connected)).toMatchObject({ code: 'LEGACY_NOT_ACCEPTED' });
    expect(recorded.short).not.toContain('READY');
  });

  it('no fields in the answer to the request for them', async () => {
    const { connected, server } = await rig.dialled();
    await open(server);
    const get = await readIq(server);
    await server.send(result(get.id));
    expect(await failure(connected)).toMatchObject({ code: 'LEGACY_NO_METHOD' });
  });

  it.each([
    ['of another protocol', `<digest xmlns='urn:evil'/><password xmlns='urn:evil'/>`],
    ['below another one', '<x><digest/></x>'],
    ['of a method whose name is that of a property', '<constructor/><toString/>'],
  ])('A-NEG-17: fields %s are none', async (_, fields) => {
    const { connected, server } = await rig.dialled();
    await open(server);
    const get = await readIq(server);
    await server.send(result(get.id, query(FIELDS + fields)));
    expect(await failure(connected)).toMatchObject({ code: 'LEGACY_NO_METHOD' });
    await server.expect('</stream:stream>');
    expect(server.received.toString()).not.toContain("type='set'");
  });

  it('A-NEG-17: a second answer to the request for the fields is no answer to the sign-in', async () => {
    const { recorded, connected, server } = await rig.dialled();
    await open(server);
    const get = await readIq(server);
    await server.send(result(get.id, query(`${FIELDS}<digest/>`)) + result(get.id));
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_EARLY_STANZA' });
    expect(recorded.short).not.toContain('AUTHSUCCESS');
  });

  it.each(['get', 'set', ''])('S-LEG-4, A-NEG-17: an iq of type %j with our id is no answer', async (type) => {
    const { connected, server, recorded } = await rig.dialled();
    await open(server);
    const set = await offer(server, '<digest/>');
    await server.send(`<iq type='${type}' id='${set.id}'/>`);
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_EARLY_STANZA' });
    expect(recorded.short).not.toContain('AUTHSUCCESS');
  });

  it('S-STREAM-14: an iq with another id ends the attempt', async () => {
    const { connected, server } = await rig.dialled();
    await open(server);
    await readIq(server);
    await server.send(result('other'));
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_EARLY_STANZA' });
  });

  it('the closing tag of a failed attempt starts nothing anew', async () => {
    const { broker, recorded, connected, server } = await rig.dialled();
    await open(server);
    const set = await offer(server, '<digest/>');
    await server.send(`<iq type='error' id='${set.id}'><error code='401'/></iq></stream:stream>`);
    await failure(connected);
    expect(recorded.short.filter((name) => name === 'AUTHNEGOTIATE')).toHaveLength(1);
    expect(recorded.short).not.toContain('NODEQUEUED');
    expect(broker.queue.size).toBe(0);
  });

  it.each([
    ['missing', null],
    ['empty', ''],
  ])('S-LEG-7 S-STREAM-8: with a stream id that is %s nothing is hashed', async (_, id) => {
    const { connected, server } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(`${header(id)}<stream:features/>`);
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_NO_ID', sentCondition: 'invalid-id' });
    await server.expect('</stream:stream>');
    expect(server.received.toString()).not.toContain('<iq');
  });

  it('a stream error behind an empty id is the cause', async () => {
    const { connected, server } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(`${header('')}<stream:error><host-unknown xmlns='${NS.STREAMS}'/></stream:error>`);
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_ERROR', condition: 'host-unknown' });
  });

  it('a server that falls silent is given up: SASL_TIMEOUT in AUTHFAIL', async () => {
    const { recorded, connected, server } = await rig.dialled({ timeouts: { auth: 50, close: 50 } });
    await open(server);
    expect(await failure(connected)).toMatchObject({ code: 'SASL_TIMEOUT', retryable: true });
    expect(recorded.short).toContain('AUTHFAIL');
  });
});

describe('where the server has SASL', () => {
  it('S-LEG-1 S-LEG-5: refuses before any credential is sent', async () => {
    const { recorded, connected, server } = await rig.dialled();
    await open(server, 'S1', SASL_FEATURES);
    expect(await failure(connected)).toMatchObject({ code: 'LEGACY_SASL_OFFERED', phase: 'auth' });
    await server.expect('</stream:stream>');
    expect(server.received.toString()).not.toContain("type='set'");
    expect(recorded.short.slice(-5)).toEqual(['AUTHFAIL', ...TAIL]);
  });

  it('S-LEG-1: insists when told to', async () => {
    const { connected, server } = await rig.dialled({ connectionType: LEGACY.with({ insist: true }) });
    await open(server, 'S1', SASL_FEATURES);
    const set = await offer(server, '<digest/>');
    await server.send(result(set.id));
    await connected;
  });
});

describe('TLS', () => {
  const SECURED: Partial<BrokerOptions> = { tls: { policy: 'required' } };

  it('S-TLS-1 S-TLS-3: asks for STARTTLS without an offer, and signs in with the id of the stream inside', async () => {
    const { recorded, connected, server } = await rig.dialled(SECURED);
    await open(server, 'outside');
    await server.expect(`<starttls xmlns='${NS.TLS}'/>`);
    await server.send(`<proceed xmlns='${NS.TLS}'/>`);
    await server.startTls(rig.identity);
    await open(server, 'inside');
    const set = await offer(server, '<digest/>');
    expect(set.text).toContain(sha1(`inside${PASSWORD}`));
    await server.send(result(set.id));
    await connected;
    expect(recorded.short).toEqual([
      ...SUCCESS.slice(0, 5),
      'SSLNEGOTIATE',
      'NODESENT(starttls)',
      'SSLSUCCESS',
      'STREAMSTART',
      'NODESENT(stream)',
      ...SUCCESS.slice(5),
    ]);
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true });
  });

  it('features that cross <starttls/> are dropped, those inside TLS count', async () => {
    const { connected, server } = await rig.dialled(SECURED);
    await open(server, 'outside', SASL_FEATURES);
    await server.expect(/<starttls[^>]*>/);
    await server.send(`<proceed xmlns='${NS.TLS}'/>`);
    await server.startTls(rig.identity);
    await open(server, 'inside');
    const set = await offer(server, '<digest/>');
    await server.send(result(set.id));
    await connected;
  });

  it('S-TLS-2 S-TLS-7: refused STARTTLS is SSLFAIL, and no credential leaves', async () => {
    const { recorded, connected, server } = await rig.dialled(SECURED);
    await open(server);
    await server.expect(/<starttls[^>]*>/);
    await server.send(`<failure xmlns='${NS.TLS}'/></stream:stream>`);
    server.end();
    expect(await failure(connected)).toMatchObject({ code: 'TLS_REFUSED', layer: 'tls' });
    expect(server.received.toString()).not.toContain('<iq');
    expect(recorded.short).toContain('SSLFAIL');
  });

  it.each([
    ['the wrong namespace', "<proceed xmlns='urn:other'/>"],
    ['content', `<proceed xmlns='${NS.TLS}'><x/></proceed>`],
  ])('S-TLS-12: <proceed/> with %s is refused', async (_, proceed) => {
    const { connected, server } = await rig.dialled(SECURED);
    await open(server);
    await server.expect(/<starttls[^>]*>/);
    await server.send(proceed);
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_UNEXPECTED' });
  });

  it('S-TLS-4: bytes behind <proceed/> are an attack', async () => {
    const { connected, server } = await rig.dialled(SECURED);
    await open(server);
    await server.expect(/<starttls[^>]*>/);
    await server.send(`<proceed xmlns='${NS.TLS}'/><iq type='result'/>`);
    expect(await failure(connected)).toMatchObject({ code: 'TLS_PLAINTEXT_INJECTION' });
  });

  it('S-LEG-7: a stream id that was used outside TLS is not hashed inside', async () => {
    const { connected, server } = await rig.dialled(SECURED);
    await open(server, 'same');
    await server.expect(/<starttls[^>]*>/);
    await server.send(`<proceed xmlns='${NS.TLS}'/>`);
    await server.startTls(rig.identity);
    await open(server, 'same');
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_ID_REUSED' });
  });

  it('S-STREAM-11: a server that calls itself otherwise inside TLS is left', async () => {
    const { connected, server } = await rig.dialled({}, 'direct');
    await server.expect(OPENING);
    await server.send(streamHeader({ id: 'S1', from: 'evil.example', version: null }));
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_FROM_MISMATCH' });
    expect(server.received.toString()).not.toContain('<iq');
  });
});

describe('bad options', () => {
  it.each([
    [{ insist: 'yes' }, 'insist'],
    [{ methods: [] }, 'methods'],
    [{ methods: ['plain'] }, 'methods'],
    [{ methods: 'digest' }, 'methods'],
    [{ allowPlaintextPassword: true }, 'over-unverified-link'],
    [{ force: true }, 'force is no option; there are insist, methods'],
    [null, 'object'],
  ])('LEGACY.with(%j) is refused', (options, names) => {
    expect(() => LEGACY.with(options as never)).toThrow(
      expect.objectContaining({ code: 'USAGE_LEGACY_OPTIONS', message: expect.stringContaining(names) as string }),
    );
  });

  it('options add up, and the dialect itself stays as it is', () => {
    const one = LEGACY.with({ insist: true }).with({ methods: ['digest'] });
    expect(one.name).toBe('LEGACY');
    expect(Object.isFrozen(LEGACY)).toBe(true);
    expect(one).not.toBe(LEGACY);
  });

  it('S-LEG-2: user name, password and resource are needed; TLS policy preferred is not possible', () => {
    const make = () =>
      new Broker({ connectionType: LEGACY, domain: DOMAIN, logger: false, tls: { policy: 'preferred' } });
    expect(make).toThrow(/username is missing[\s\S]*password is missing[\s\S]*resource is missing[\s\S]*preferred/);
  });

  it('a user name that can be no address ends the attempt before anything is opened', async () => {
    const { broker, recorded } = rig.broker(await rig.listen(), { username: 'a\u0007' });
    expect(await failure(broker.connect())).toMatchObject({ code: 'USAGE_JID' });
    expect(recorded.short).not.toContain('STREAMSTART');
  });
});
