import { describe, expect, it } from 'vitest';
import { NS, XMPP, type BrokerError, type BrokerOptions } from 'xmpp-broker';
import { CLIENT, greet, iqId, JID } from './support/client.js';
import {
  BIND,
  failure,
  features,
  mechanisms,
  useRig,
  type CertificateOptions,
  type Conversation,
} from './support/index.js';

const rig = useRig(CLIENT);
const DAY = 24 * 3_600_000;

/** A client with a certificate for these addresses, and the server it has dialled. */
async function dialled(
  addresses: readonly string[],
  options: Partial<BrokerOptions> = {},
  own: CertificateOptions = {},
) {
  const { cert, key } = await rig.authority.issue({ names: addresses.map((xmpp) => ({ xmpp })), ...own });
  return rig.dialled({ connectionType: XMPP, ...options, tls: { cert, key, ...options.tls } });
}

/** The identity that EXTERNAL sends. */
async function identity(server: Conversation): Promise<string> {
  await greet(server, features(mechanisms('PLAIN', 'EXTERNAL')));
  const [, text = ''] = await server.match(/<auth [^>]*mechanism='EXTERNAL'[^>]*>([^<]*)<\/auth>/);
  return text === '=' ? '' : Buffer.from(text, 'base64').toString();
}

const warnings = (recorded: { names: string[]; payloads: unknown[] }): string[] =>
  recorded.payloads
    .filter((_, at) => recorded.names[at] === 'PCJ_PROTOCOLERROR')
    .map((error) => (error as BrokerError).code);

describe('modern 10.4: EXTERNAL and the addresses of our certificate', () => {
  const NAMES = 'TLS_CLIENT_CERT_NAMES';
  const [alice, bob, elsewhere] = ['alice@localhost', 'bob@localhost', 'alice@elsewhere.example'];

  it.each<[what: string, addresses: string[], options: Partial<BrokerOptions>, sent: string, warning: string | null]>([
    ['none', [], {}, '', null],
    ['ours', [alice], {}, '', null],
    ['another one', [bob], {}, '', NAMES],
    ['that of another domain', [elsewhere], {}, '', NAMES],
    ['ours and others', [bob, alice, elsewhere], {}, alice, null],
    ['ours in another spelling', [bob, 'ALICE@LocalHost'], {}, alice, null],
    ['ours with a resource', [bob, `${alice}/desk`], {}, alice, null],
    ['no address at all among them', ['@', 'not an address, alice@localhost', bob], {}, '', NAMES],
    ['several others', [bob, elsewhere], {}, '', NAMES],
    ['several, nobody said which', [alice, bob], { username: undefined }, '', null],
    ['several, and the options say which', [alice, bob], { connectionType: XMPP.with({ authzid: bob }) }, bob, null],
    ['another one, as the options say', [alice], { connectionType: XMPP.with({ authzid: bob }) }, bob, null],
    ['a name to escape', ['d\\27artagnan@localhost', bob], { username: "d'artagnan" }, 'd\\27artagnan@localhost', null],
  ])('%s', async (_, addresses, options, sent, warning) => {
    const { server, connected, recorded } = await dialled(addresses, options);
    expect(await identity(server)).toBe(sent);
    expect(warnings(recorded)).toEqual(warning === null ? [] : [warning]);
    if (warning !== null) {
      expect(recorded.short.indexOf('PROTOCOLERROR')).toBe(recorded.short.indexOf('AUTHNEGOTIATE') - 1);
      const { message } = recorded.last('PCJ_PROTOCOLERROR') as BrokerError;
      expect(message).toContain('alice@localhost');
      expect(message).toContain(addresses[0]);
    }
    server.reset();
    await failure(connected);
  });

  it('signs in with one of several', async () => {
    const { server, connected } = await dialled([bob, alice]);
    await identity(server);
    await server.send(`<success xmlns='${NS.SASL}'/>`);
    await greet(server, features(BIND), { id: 'auth-1' });
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await connected;
  });

  it('the identity is for EXTERNAL alone', async () => {
    const { server, connected, recorded } = await dialled([bob, alice]);
    await greet(server, features(mechanisms('SCRAM-SHA-1')));
    const [, text = ''] = await server.match(/<auth [^>]*>([^<]*)<\/auth>/);
    expect(Buffer.from(text, 'base64').toString()).toMatch(/^[ny],,n=alice,/);
    expect(warnings(recorded)).toEqual([]);
    server.reset();
    await failure(connected);
  });

  it.each([
    ['not-authorized', 'XmppAddr'],
    ['account-disabled', 'issuer'],
  ])('%s says what to look at', async (condition, advice) => {
    const { server, connected } = await dialled([alice]);
    await identity(server);
    await server.send(`<failure xmlns='${NS.SASL}'><${condition}/></failure>`);
    const error = await failure(connected);
    expect(error).toMatchObject({ code: 'SASL_FAILURE', condition });
    expect(error.message).toContain(advice);
    expect(error.message).not.toContain('password');
  });

  it('EXTERNAL that is not offered is named where nothing else will do', async () => {
    const { server, connected } = await dialled([alice], { password: undefined });
    await greet(server, features(mechanisms('PLAIN', 'SCRAM-SHA-1')));
    const error = await failure(connected);
    expect(error.code).toBe('SASL_NO_ACCEPTABLE_MECHANISM');
    expect(error.message).toContain('EXTERNAL is not offered');
    expect(error.message).toContain('SCRAM-SHA-1 needs a password');
  });
});

describe('modern 10.4: the time of our certificate', () => {
  it.each<[string, CertificateOptions, string[]]>([
    ['is valid', {}, []],
    [
      'has expired',
      { notBefore: new Date(Date.now() - 2 * DAY), notAfter: new Date(Date.now() - DAY) },
      ['TLS_CLIENT_CERT_EXPIRED'],
    ],
    ['is not valid yet', { notBefore: new Date(Date.now() + DAY) }, ['TLS_CLIENT_CERT_EXPIRED']],
  ])('%s: told before anything is dialled', async (_, own, expected) => {
    const { server, connected, recorded } = await dialled(['alice@localhost'], {}, own);
    await identity(server);
    expect(warnings(recorded)).toEqual(expected);
    expect(recorded.short.slice(0, 3)).toEqual(
      expected.length === 0 ? ['CONNECT', 'CONNECTING', 'CONNECTED'] : ['CONNECT', 'PROTOCOLERROR', 'CONNECTING'],
    );
    server.reset();
    await failure(connected);
  });

  it('means nothing without TLS', async () => {
    const { cert, key } = await rig.authority.issue({
      notBefore: new Date(Date.now() - 2 * DAY),
      notAfter: new Date(Date.now() - DAY),
    });
    const { server, connected, recorded } = await rig.dialled({ tls: { policy: 'disabled', cert, key } }, 'plain');
    expect(warnings(recorded)).toEqual([]);
    server.reset();
    await failure(connected);
  });

  it('a handler of the warning may give the attempt up', async () => {
    const { cert, key } = await rig.authority.issue({ notAfter: new Date(Date.now() - 1_000) });
    const peer = await rig.listen();
    const { broker, recorded } = rig.broker(peer, { tls: { policy: 'direct', cert, key } });
    broker.subscribe('PCJ_PROTOCOLERROR', () => broker.halt());
    expect((await failure(broker.connect())).code).toBe('BROKER_HALTED');
    expect(recorded.short).not.toContain('CONNECTING');
    expect(peer.conversations).toEqual([]);
  });
});
