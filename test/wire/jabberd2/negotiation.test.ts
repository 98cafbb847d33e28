import { describe, expect, it } from 'vitest';
import { Broker, JABBERD20_COMPONENT, NS, xml } from 'xmpp-broker';
import { failure, features, OPEN, OPENING, STARTTLS, streamHeader, TAIL, useRig } from '../support/index.js';
import {
  answer,
  DIGEST,
  message,
  NAME,
  negotiate,
  open,
  readBind,
  route,
  ROUTER,
  SERVICE,
  SIGN_IN,
  signIn,
  SUCCESS,
} from '../support/service.js';

const rig = useRig(SERVICE);

describe('negotiating with the router', () => {
  it('S-J2-1: STARTTLS, DIGEST-MD5, bind; golden order', async () => {
    const { broker, recorded, connected, server } = await rig.dialled({
      tls: { policy: 'required', servername: 'broker.test' },
    });
    const opened = await open(server, 'S0', STARTTLS, DIGEST);
    expect(opened).toContain(`xmlns='${ROUTER}'`);
    expect(opened).toContain("version='1.0'");
    await server.expect(/<starttls[^>]*>/);
    await server.send(`<proceed xmlns='${NS.TLS}'/>`);
    await server.startTls(rig.identity);
    const bind = await negotiate(server);
    await connected;
    expect(bind).toMatch(new RegExp(`^<bind name='${NAME}' id='[0-9a-f]{32}'/>$`));
    expect(recorded.short).toEqual([
      ...OPEN,
      'SSLNEGOTIATE',
      'NODESENT(starttls)',
      'SSLSUCCESS',
      'STREAMSTART',
      'NODESENT(stream)',
      ...SIGN_IN,
    ]);
    expect(broker.jid?.toString()).toBe(NAME);
    expect(broker.sid).toBe('S2');
  });

  it('without TLS, when the policy says so', async () => {
    const { recorded, connected, server } = await rig.dialled();
    await negotiate(server);
    await connected;
    expect(recorded.short).toEqual(SUCCESS);
  });

  it('TLS policy preferred: clear where STARTTLS is not offered', async () => {
    const { broker } = await rig.ready({ tls: { policy: 'preferred' } });
    expect(broker.state).toBe('ready');
  });

  it('S-J2-1: mechanisms without STARTTLS are SSLFAIL; no credentials leave', async () => {
    const { recorded, connected, server } = await rig.dialled({ tls: { policy: 'required' } });
    await open(server, 'S1', DIGEST);
    expect(await failure(connected)).toMatchObject({ code: 'TLS_REQUIRED', layer: 'tls' });
    await server.expect('</stream:stream>');
    expect(server.received.toString()).not.toContain('<auth');
    expect(recorded.short.slice(-5)).toEqual(['SSLFAIL', ...TAIL]);
  });

  it('direct TLS', async () => {
    const { connected, server } = await rig.dialled({ tls: { servername: 'broker.test' } }, 'direct');
    await negotiate(server);
    await connected;
  });

  it('empty features before authentication are no invitation to bind', async () => {
    const { recorded, connected, server } = await rig.dialled();
    await open(server, 'S1');
    expect(await failure(connected)).toMatchObject({ code: 'SASL_NO_ACCEPTABLE_MECHANISM' });
    expect(recorded.short).not.toContain('BINDNEGOTIATE');
    expect(server.received.toString()).not.toContain('<bind');
  });

  it.each([
    ['another element', 'S1', '<stream:other/>', 'STREAM_UNEXPECTED'],
    ['features of another namespace', 'S1', "<features xmlns='urn:x'/>", 'STREAM_UNEXPECTED'],
    ['a header without id', null, features(DIGEST), 'STREAM_NO_ID'],
    ['an empty id', '', features(DIGEST), 'STREAM_NO_ID'],
  ])(
    'S-STREAM-8, S-STREAM-21: %s in place of header and features: nothing is said of us',
    async (_, id, said, code) => {
      const { connected, server } = await rig.dialled();
      await server.expect(OPENING);
      await server.send(streamHeader({ xmlns: ROUTER, id, from: NAME }) + said);
      expect(await failure(connected)).toMatchObject({ code });
      await server.expectEnd();
      expect(server.received.toString()).not.toContain('<auth');
    },
  );

  it('a wrong password is AUTHFAIL with an orderly tail', async () => {
    const { recorded, connected, server } = await rig.dialled({ password: 'wrong' });
    await open(server, 'S1', DIGEST);
    await signIn(server);
    expect(await failure(connected)).toMatchObject({ condition: 'not-authorized', phase: 'auth' });
    expect(recorded.short.slice(-5)).toEqual(['AUTHFAIL', ...TAIL]);
  });

  it('the router must prove that it knows the password', async () => {
    const { connected, server } = await rig.dialled();
    await open(server, 'S1', DIGEST);
    await server.expect(/<auth [^>]*>/);
    const challenge = Buffer.from('realm="jabberd-router",nonce="abc",qop="auth",charset=utf-8,algorithm=md5-sess');
    await server.send(`<challenge xmlns='${NS.SASL}'>${challenge.toString('base64')}</challenge>`);
    await server.expect('</response>');
    const proof = Buffer.from(`rspauth=${'0'.repeat(32)}`).toString('base64');
    await server.send(`<success xmlns='${NS.SASL}'>${proof}</success>`);
    expect(await failure(connected)).toMatchObject({ code: 'DIGEST_RSPAUTH' });
  });

  it.each([
    ['400', 'bad-request', false],
    ['403', 'forbidden', false],
    ['409', 'conflict', true],
    ['599', 'undefined-condition', false],
  ])('S-J2-2 A-NEG-16: bind error %s is BINDFAIL: %s', async (code, condition, retryable) => {
    const { recorded, connected, server } = await rig.dialled();
    await open(server, 'S1', DIGEST);
    await signIn(server);
    await open(server, 'S2');
    const bind = await readBind(server);
    await server.send(answer(bind.id, `error='${code}'`));
    const error = await failure(connected);
    expect(error).toMatchObject({ code: 'BIND_FAILED', condition, retryable, phase: 'bind' });
    expect(error.message).toContain(code);
    await server.expect('</stream:stream>');
    expect(recorded.short.slice(-5)).toEqual(['BINDFAIL', ...TAIL]);
  });

  it('S-J2-2: no packet leaves before the name is bound', async () => {
    const { broker, connected, server } = await rig.dialled();
    await open(server, 'S1', DIGEST);
    await signIn(server);
    await open(server, 'S2');
    const bind = await readBind(server);
    const ticket = broker.output(xml('message', { to: 'alice@localhost' }, xml('body', {}, 'early')));
    expect(server.received.toString()).not.toContain('<route');
    await server.send(answer(bind.id));
    await connected;
    expect(ticket.state).toBe('queued');
    expect(broker.purgeQueue()).toEqual([ticket]);
    expect(await server.expect('</route>')).toContain("<message xmlns='jabber:client'");
  });

  it('the name, multi and the other options are said in <bind/>', async () => {
    const connectionType = JABBERD20_COMPONENT.with({
      name: 'Other.localhost',
      multi: true,
      default: true,
      log: true,
    });
    const { broker, connected, server } = await rig.dialled({ connectionType, domain: 'localhost' });
    const bind = await negotiate(server);
    await connected;
    expect(bind).toContain("name='other.localhost'");
    expect(bind).toContain("multi='1'");
    expect(bind).toMatch(/><default\/><log\/><\/bind>$/);
    expect(broker.jid?.toString()).toBe('other.localhost');
  });

  it('S-J2-7: by default neither <default/> nor <log/> is asked for', async () => {
    const { connected, server } = await rig.dialled();
    const bind = await negotiate(server);
    await connected;
    expect(bind).not.toMatch(/default|log|multi/);
  });

  it('what comes in the same read as the answer is delivered after READY, in order', async () => {
    const { broker, recorded, connected, server } = await rig.dialled();
    const behind = `<presence xmlns='${ROUTER}' from='sm'/>${route(message())}<presence xmlns='${ROUTER}' from='c2s'/>`;
    await negotiate(server, { behind });
    await connected;
    await broker.events.once('PCJ_NODERECEIVED');
    expect(recorded.short.slice(SUCCESS.length)).toEqual(['DOMAIN', 'NODERECEIVED', 'DOMAIN']);
  });
});

describe('bad options', () => {
  it.each([
    [{ name: 'a@b' }, 'USAGE_NAME'],
    [{ name: '' }, 'USAGE_NAME'],
    [{ multi: 1 }, 'USAGE_ROUTER_OPTIONS'],
    [{ binddomain: 'x' }, 'USAGE_ROUTER_OPTIONS'],
    [{ raw: 'yes' }, 'USAGE_ROUTER_OPTIONS'],
    [{ mechanisms: [] }, 'USAGE_ROUTER_OPTIONS'],
    [{ mechanisms: ['digest-md5'] }, 'USAGE_ROUTER_OPTIONS'],
    [undefined, 'USAGE_ROUTER_OPTIONS'],
  ])('JABBERD20_COMPONENT.with(%j) is refused', (options, code) => {
    expect(() => JABBERD20_COMPONENT.with(options as never)).toThrow(expect.objectContaining({ code }));
  });

  it('the message names every option there is', () => {
    expect(() => JABBERD20_COMPONENT.with({ binddomain: 'x' } as never)).toThrow(
      /binddomain is no option; there are name, raw, mechanisms, multi, default, log/,
    );
  });

  it('user name, password and port are needed', () => {
    const make = () => new Broker({ connectionType: JABBERD20_COMPONENT, domain: NAME, logger: false });
    expect(make).toThrow(/username is missing[\s\S]*password is missing[\s\S]*port is missing/);
  });
});
