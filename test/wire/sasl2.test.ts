import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BrokerError, NS, PCJ_NODERECEIVED, PCJ_READY, xml, XMPP, type BrokerOptions, type Ticket } from 'xmpp-broker';
import { CLIENT, greet, JID, PASSWORD } from './support/client.js';
import {
  BIND,
  features,
  failure,
  mechanisms,
  SM,
  STARTTLS,
  streamError,
  TAIL,
  useRig,
  type Conversation,
  type Dialled,
  type Rig,
} from './support/index.js';
import { ScramServer } from '../unit/protocols/sasl/support.js';
import {
  AFTER,
  authenticating,
  authentication,
  bindAndEnable,
  bound,
  enabled,
  resumed,
  success,
} from './support/sasl2.js';

const rig = useRig(CLIENT);

const RECONNECT: Partial<BrokerOptions> = { reconnect: { resumeDelayMs: 1, firstDelayMs: 1, maxDelayMs: 1 } };
const BIND2: Partial<BrokerOptions> = {
  connectionType: XMPP.with({ mechanisms: ['PLAIN'], bind2: 'on' }),
  resource: undefined,
};
const BIND2_OFFER = { bind: [NS.SM, NS.SM, NS.CARBONS] };
const FAILED = ['AUTHFAIL', ...TAIL];

const codeOf = async (promise: Promise<unknown>): Promise<string> => (await failure(promise)).code;
const hOf = (text: string): string => / h='([^']*)'/.exec(text)?.[1] ?? '';
/** Names of the children of `<authenticate/>`, in order. */
const wished = (text: string): string[] => {
  const element = text.slice(text.indexOf('<authenticate'));
  const names: string[] = [];
  let depth = 0;
  for (const [tag, close, name, empty] of element.matchAll(/<(\/?)([\w-]+)[^>]*?(\/?)>/g)) {
    if (close === '/') depth -= 1;
    else {
      if (depth === 1) names.push(name ?? tag);
      if (empty === '') depth += 1;
    }
  }
  return names;
};

/** Signs a client in up to its `<authenticate/>`. */
async function begun(options: Partial<BrokerOptions> = {}, said: Parameters<typeof authenticating>[1] = {}) {
  const client = await rig.dialled(options);
  return { ...client, request: await authenticating(client.server, said) };
}

/** Behind PCJ_READY, with a session that can be resumed. */
async function ready(options: Partial<BrokerOptions> = {}) {
  const client = await begun({ ...RECONNECT, ...options });
  await client.server.send(success() + AFTER);
  await bindAndEnable(client.server);
  await client.connected;
  return client;
}

/** The link of a client is cut; it is back with its `<authenticate/>`. */
async function back(client: Dialled, said: Parameters<typeof authenticating>[1] = {}) {
  client.server.reset();
  const server = await client.peer.accept();
  return { server, request: await authenticating(server, said), isReady: client.broker.events.once(PCJ_READY) };
}

const send = ({ broker }: Dialled, id: string): Ticket =>
  broker.output(xml('message', { to: 'bob@localhost', id }, xml('body', {}, id)));

describe('a sign-in', () => {
  it('modern 1, S-S2-2: order of what is sent and published; no second header', async () => {
    const { server, recorded, connected, broker, request } = await begun();
    expect(request).toMatch(/^<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>/);
    expect(wished(request)).toEqual(['initial-response', 'user-agent']);
    await server.send(success() + AFTER);
    await bindAndEnable(server);
    await connected;
    expect(broker.jid?.toString()).toBe(JID);
    expect(recorded.short).toEqual(
      'CONNECT CONNECTING CONNECTED SSLNEGOTIATE SSLSUCCESS STREAMSTART NODESENT(stream) AUTHNEGOTIATE NODESENT(authenticate) AUTHSUCCESS BINDNEGOTIATE RTS_START NODESENT(iq) BINDSUCCESS NODESENT(enable) SM_ENABLED READY'.split(
        ' ',
      ),
    );
    expect(recorded.last('PCJ_AUTHNEGOTIATE')).toEqual({ mechanism: 'PLAIN', profile: 'sasl2' });
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'PLAIN', profile: 'sasl2' });
  });

  it('S-S2-5: the id is one for all attempts of a broker, a UUID, and no other broker has it', async () => {
    const idOf = (text: string) => /<user-agent id='([^']+)'/.exec(text)?.[1];
    const client = await ready();
    const again = await back(client);
    const other = await begun();
    expect(idOf(client.request)).toMatch(/^[0-9a-f-]{14}4[0-9a-f-]{21}$/);
    expect(idOf(again.request)).toBe(idOf(client.request));
    expect(idOf(other.request)).not.toBe(idOf(client.request));
  });

  it.each([
    ['none', /<authenticate [^>]*><initial-response>[^<]*<\/initial-response><\/authenticate>/],
    [
      { software: 'Bot & Co', device: 'shelf' },
      /<software>Bot &amp; Co<\/software><device>shelf<\/device><\/user-agent>/,
    ],
    [{ id: '0e5b4d8a-6bc5-4f6a-9d3a-2f9f6ab0c3de' }, /<user-agent id='0e5b4d8a-6bc5-4f6a-9d3a-2f9f6ab0c3de'>/],
  ] as const)('userAgent: %j', async (userAgent, pattern) => {
    const { request } = await begun({ connectionType: XMPP.with({ mechanisms: ['PLAIN'], userAgent }) });
    expect(request).toMatch(pattern);
  });

  it('S-S2-1: the proof of the server stands in additional-data', async () => {
    const connectionType = XMPP.with({ mechanisms: ['SCRAM-SHA-256'] });
    const play = async (end: (proof: string) => string) => {
      const { server, connected, recorded, request } = await begun(
        { connectionType },
        { mechanisms: ['SCRAM-SHA-256'] },
      );
      const scram = new ScramServer('sha256', PASSWORD);
      const text = (element: string) => Buffer.from(/>([^<>]+)<\//.exec(element)?.[1] ?? '', 'base64');
      const first = scram.challenge(text(request.slice(request.indexOf('<initial-response>'))));
      await server.send(`<challenge xmlns='${NS.SASL2}'>${first.toString('base64')}</challenge>`);
      await server.send(end(scram.final(text(await server.expect('</response>'))).toString('base64')));
      return { server, connected, recorded };
    };
    const data = (text: string) => `<additional-data>${text}</additional-data>`;
    const right = await play((proof) => success(data(proof)) + AFTER);
    await bindAndEnable(right.server);
    await right.connected;
    const without = await play(() => success());
    expect(await codeOf(without.connected)).toBe('SCRAM_SERVER_SIGNATURE');
    const wrong = await play(() => success(data(Buffer.from(`v=${'A'.repeat(43)}=`).toString('base64'))));
    expect(await codeOf(wrong.connected)).toBe('SCRAM_SERVER_SIGNATURE');
    for (const { recorded } of [without, wrong]) expect(recorded.short).not.toContain('AUTHSUCCESS');
  });

  it.each([
    ['of SASL2', ['PLAIN', 'SCRAM-SHA-256'], true],
    ['of the other profile', ['SCRAM-SHA-1'], false],
    ['with those of tokens, as ejabberd 24.12 had it', ['HT-SHA-256-NONE', 'PLAIN', 'SCRAM-SHA-256'], false],
  ])('modern 1.7 S-CB-7: a server signs the mechanisms %s', async (_, signed, taken) => {
    const fast = `<fast xmlns='${NS.FAST}'><mechanism>HT-SHA-256-NONE</mechanism></fast>`;
    const offer = authentication({ mechanisms: ['SCRAM-SHA-256', 'PLAIN'], inline: fast }) + mechanisms('SCRAM-SHA-1');
    const { server, connected, request } = await begun({ connectionType: XMPP.with({}) }, offer);
    const scram = new ScramServer('sha256', PASSWORD);
    scram.extension = `,h=${createHash('sha256').update(signed.join('\x1e')).digest('base64')}`;
    const initial = /<initial-response>([^<]+)</.exec(request)?.[1] ?? '';
    const first = scram.challenge(Buffer.from(initial, 'base64')).toString('base64');
    await server.send(`<challenge xmlns='${NS.SASL2}'>${first}</challenge>`);
    if (taken) {
      expect(await server.expect('</response>')).toContain('<response ');
      connected.catch(() => undefined);
    } else {
      expect(await codeOf(connected)).toBe('SASL_DOWNGRADE');
    }
  });

  it('modern 1.6: success split behind every byte', async () => {
    const { server, connected } = await begun();
    await server.sendSplit(success() + AFTER, [1]);
    await bindAndEnable(server);
    await connected;
  });

  it.each([
    ['of another domain', success('', 'alice@elsewhere'), 'its JID is of elsewhere'],
    ['that is none', success('', '@'), 'it names no valid JID'],
    ['that is missing', success('', null), 'there is none'],
  ])('modern 1.6: an identifier %s ends the attempt', async (_, said, why) => {
    const { server, connected, recorded } = await begun();
    await server.send(said + AFTER);
    const error = await failure(connected);
    expect(error.code).toBe('SASL2_BAD_IDENTIFIER');
    expect(error.message).toContain(why);
    expect(recorded.short.slice(-FAILED.length)).toEqual(FAILED);
    expect(recorded.short).not.toContain('AUTHSUCCESS');
  });

  it('modern 1.3 2.1: where nothing is offered inline, nothing is asked for inline', async () => {
    const connectionType = XMPP.with({ mechanisms: ['PLAIN'], bind2: 'on', userAgent: 'none' });
    const offer = `<authentication xmlns='${NS.SASL2}'><mechanism>PLAIN</mechanism></authentication>`;
    const { server, connected, request } = await begun({ connectionType }, offer);
    expect(wished(request)).toEqual(['initial-response']);
    await server.send(success() + AFTER);
    await bindAndEnable(server);
    await connected;
  });

  it('modern 1: a challenge behind success, and what is no features', async () => {
    for (const behind of [`<challenge xmlns='${NS.SASL2}'/>`, '<message/>', `<x xmlns='urn:example:x'/>`]) {
      const { server, connected } = await begun();
      await server.send(success() + behind);
      expect(await codeOf(connected)).toBe('STREAM_UNEXPECTED');
    }
  });

  it('modern 1.4: a failure, its condition in the namespace or without; S-CB-4: no second try on the stream', async () => {
    const conditions = [
      `<not-authorized xmlns='${NS.SASL}'/><text>no &#x202e;such</text>`,
      '<not-authorized/>',
      `<credentials-expired xmlns='${NS.SASL}'/>`,
    ];
    for (const condition of conditions) {
      const { server, connected, recorded } = await begun();
      await server.send(`<failure xmlns='${NS.SASL2}'>${condition}</failure>`);
      const error = await failure(connected);
      expect(error).toMatchObject({ code: 'SASL_FAILURE', condition: /<([\w-]+)/.exec(condition)?.[1] });
      expect(recorded.short.slice(-FAILED.length)).toEqual(FAILED);
      const said = server.received.toString();
      expect(said.split('<authenticate ')).toHaveLength(2);
      expect(said).not.toContain('<auth ');
    }
  });

  it('modern 1.5: a server that stays silent is left behind', async () => {
    const { connected } = await begun({ timeouts: { auth: 30, close: 50 } });
    expect(await codeOf(connected)).toBe('SASL_TIMEOUT');
  });

  it('S-S2-3: <continue/> is aborted, with the names of its tasks', async () => {
    const { server, connected } = await begun();
    await server.send(
      `<continue xmlns='${NS.SASL2}'><additional-data>QQ==</additional-data><tasks><task>HOTP-EXAMPLE</task><task>SET&lt;&#x202e;</task></tasks></continue>`,
    );
    const error = await failure(connected);
    expect(error).toMatchObject({ code: 'SASL2_TASK_UNSUPPORTED', retryable: false });
    expect(error.message).toContain('HOTP-EXAMPLE, SET<\\u202e');
    expect(server.received.toString()).toContain(`<abort xmlns='${NS.SASL2}'/>`);
  });

  it('S-SASL-14: of many mechanisms the first 64 are looked at', async () => {
    const many = Array.from({ length: 64 }, (_, n) => `X-${n}`);
    const { server, connected } = await rig.dialled();
    await greet(server, features(authentication({ mechanisms: [...many, 'PLAIN'] })));
    expect(await codeOf(connected)).toBe('SASL_NO_ACCEPTABLE_MECHANISM');
  });

  it('S-SASL-16: neither credentials nor proofs in events, logs or errors', async () => {
    const lines: string[] = [];
    const note = (...args: unknown[]) => void lines.push(JSON.stringify(args));
    const logger = { debug: note, info: note, warn: note, error: note };
    const { server, connected, recorded } = await begun({ debug: true, logger });
    await server.send(
      success(
        `<additional-data>QUFBQQ==</additional-data><token xmlns='${NS.FAST}' token='secret-token:x' expiry='2030-01-01T00:00:00Z'/>`,
      ),
    );
    const error = await failure(connected);
    const shown = JSON.stringify(lines) + recorded.payloads.map(String).join() + String(error) + error.message;
    expect(shown).toContain('authenticate');
    expect(shown).toContain("<user-agent id='");
    for (const secret of [PASSWORD, Buffer.from(`\0alice\0${PASSWORD}`).toString('base64'), 'QUFBQQ', 'secret-token']) {
      expect(shown).not.toContain(secret);
    }
  });
});

describe('which profile', () => {
  const auth = async (offer: string, options: Partial<BrokerOptions>, transport?: Parameters<Rig['dialled']>[1]) => {
    const { server, connected } = await rig.dialled(options, transport);
    await greet(server, offer);
    return { said: server.expect(/<(auth|authenticate) [^>]*>/), connected };
  };
  const all = XMPP.with({});

  it.each([
    ['SASL2 where both are as good', ['SCRAM-SHA-1'], ['SCRAM-SHA-1'], '<authenticate', 'SCRAM-SHA-1'],
    ['SASL2 where it is better', ['SCRAM-SHA-256'], ['SCRAM-SHA-1'], '<authenticate', 'SCRAM-SHA-256'],
    ['SASL where SASL2 is worse', ['SCRAM-SHA-1'], ['SCRAM-SHA-256'], '<auth', 'SCRAM-SHA-256'],
    ['SASL where SASL2 has only PLAIN', ['PLAIN'], ['SCRAM-SHA-1'], '<auth', 'SCRAM-SHA-1'],
    ['SASL where SASL2 has nothing', ['X-1'], ['SCRAM-SHA-1'], '<auth', 'SCRAM-SHA-1'],
    ['SASL2 where SASL has nothing', ['SCRAM-SHA-1'], ['X-1'], '<authenticate', 'SCRAM-SHA-1'],
  ])('S-S2-7: %s', async (_, modern, classic, element, mechanism) => {
    const offer = features(authentication({ mechanisms: modern }), mechanisms(...classic));
    const { said, connected } = await auth(offer, {
      connectionType: all,
      username: `u${modern.join('')}${classic.join('')}`,
    });
    connected.catch(() => undefined);
    expect(await said).toMatch(new RegExp(`^${element} [^>]*mechanism='${mechanism}'`));
  });

  it('S-S2-7: no PLAIN in one profile beside SCRAM in the other, whatever the options say', async () => {
    for (const [sasl2, modern, classic] of [
      ['required', ['PLAIN'], ['SCRAM-SHA-1']],
      ['off', ['SCRAM-SHA-1'], ['PLAIN']],
    ] as const) {
      const offer = features(authentication({ mechanisms: modern }), mechanisms(...classic));
      const { connected, said } = await auth(offer, {
        connectionType: XMPP.with({ sasl2 }),
        username: `beside-${sasl2}`,
      });
      said.catch(() => undefined);
      expect(await codeOf(connected)).toBe('SASL_NO_ACCEPTABLE_MECHANISM');
    }
  });

  it('S-S2-7: SCRAM by SASL2 once means no PLAIN by SASL later', async () => {
    const options = { connectionType: all, username: 'remembered' };
    const first = await auth(features(authentication({ mechanisms: ['SCRAM-SHA-1'] })), options);
    first.connected.catch(() => undefined);
    await first.said;
    const second = await auth(features(mechanisms('PLAIN')), options);
    second.said.catch(() => undefined);
    expect(await codeOf(second.connected)).toBe('SASL_DOWNGRADE');
  });

  it('modern 1: SASL2 is never used in clear, also where it is offered', async () => {
    const offer = features(authentication({ mechanisms: ['SCRAM-SHA-1'] }), mechanisms('SCRAM-SHA-1'), STARTTLS);
    const tls = { policy: 'disabled' } as const;
    const clear = await auth(offer, { connectionType: all, tls, username: 'clear' }, 'plain');
    clear.connected.catch(() => undefined);
    expect(await clear.said).toMatch(/^<auth /);
    const required = await auth(offer, { connectionType: XMPP.with({ sasl2: 'required' }), tls }, 'plain');
    required.said.catch(() => undefined);
    expect(await failure(required.connected)).toMatchObject({ code: 'SASL2_NOT_OFFERED' });
  });

  it("sasl2: 'off' and 'required'", async () => {
    const off = await auth(features(authentication(), mechanisms('PLAIN')), {
      connectionType: XMPP.with({ mechanisms: ['PLAIN'], sasl2: 'off' }),
    });
    off.connected.catch(() => undefined);
    expect(await off.said).toMatch(/^<auth /);
    const required = await auth(features(mechanisms('PLAIN')), {
      connectionType: XMPP.with({ mechanisms: ['PLAIN'], sasl2: 'required' }),
    });
    required.said.catch(() => undefined);
    expect(await failure(required.connected)).toMatchObject({ code: 'SASL2_NOT_OFFERED', layer: 'sasl' });
  });

  const list = (...types: string[]) =>
    `<sasl-channel-binding xmlns='${NS.SASL_CHANNEL_BINDING}'>${types.map((type) => `<channel-binding type='${type}'/>`).join('')}</sasl-channel-binding>`;

  it.each([
    ['-PLUS without a list', ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], '', 'auto', 'SASL_DOWNGRADE'],
    ['a list without -PLUS', ['SCRAM-SHA-1'], list('tls-exporter'), 'auto', 'SASL_DOWNGRADE'],
    ['-PLUS without a list, told not to bind', ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], '', 'none', 'SCRAM-SHA-1'],
    ['-PLUS without a list, a type named', ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], '', 'tls-exporter', 'SCRAM-SHA-1-PLUS'],
    ['both', ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], list('tls-exporter'), 'auto', 'SCRAM-SHA-1-PLUS'],
    ['neither', ['SCRAM-SHA-1'], '', 'auto', 'SCRAM-SHA-1'],
    [
      '-PLUS with a type of ours',
      ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'],
      list('tls-server-end-point'),
      'auto',
      'SCRAM-SHA-1-PLUS',
    ],
  ] as const)('S-CB-6: %s', async (_, offered, types, channelBinding, outcome) => {
    const offer = features(authentication({ mechanisms: offered }), types, mechanisms('SCRAM-SHA-1'));
    const { connected, said } = await auth(offer, {
      connectionType: XMPP.with({ channelBinding }),
      username: 'binding',
    });
    said.catch(() => undefined);
    connected.catch(() => undefined);
    if (outcome === 'SASL_DOWNGRADE') expect(await codeOf(connected)).toBe(outcome);
    else expect(await said).toContain(`<authenticate xmlns='${NS.SASL2}' mechanism='${outcome}'`);
  });

  it('S-CB-6: who has no mechanism with channel binding needs neither', async () => {
    const { request } = await begun({}, authentication({ mechanisms: ['PLAIN'] }) + list('tls-exporter'));
    expect(request).toContain("mechanism='PLAIN'");
  });
});

describe('resuming with the sign-in', () => {
  it('modern 3, S-SM-14: order of what is sent and published', async () => {
    const client = await ready();
    const ticket = send(client, '1');
    await client.server.expect('</message>');
    client.recorded.clear();
    const { server, request, isReady } = await back(client);
    expect(wished(request)).toEqual(['initial-response', 'user-agent', 'resume']);
    expect(request).toContain(`<resume xmlns='${NS.SM}' h='0' previd='session-1'/>`);
    await server.send(success(resumed(1)));
    expect(await isReady).toMatchObject({ resumed: true });
    expect(ticket.state).toBe('acked');
    const { short } = client.recorded;
    expect(short.slice(short.indexOf('SSLSUCCESS') + 1)).toEqual(
      'STREAMSTART NODESENT(stream) AUTHNEGOTIATE NODESENT(authenticate) AUTHSUCCESS SM_ACK SM_RESUMED READY'.split(
        ' ',
      ),
    );
  });

  it.each([
    ['never', '', ''],
    ['at once', AFTER, ''],
    ['behind stanzas', `<message/>`, AFTER],
    ['twice', AFTER, AFTER],
  ])(
    'modern 1.1: features %s behind <resumed/> neither delay nor disturb; modern 1.6, 1.8: what is glued counts',
    async (_, first, second) => {
      const client = await ready();
      const { server, isReady } = await back(client);
      let seen = 0;
      client.broker.subscribe(PCJ_NODERECEIVED, () => void (seen += 1));
      await server.send(`${success(resumed(0))}${first}<message/><message/>${second}<r xmlns='${NS.SM}'/>`);
      expect(await isReady).toMatchObject({ resumed: true });
      const expected = first.startsWith('<message') ? 3 : 2;
      await server.expect('<r '); // a resumption has to prove itself
      expect(hOf(await server.expect(/<a [^>]*\/>/))).toBe(String(expected));
      expect(seen).toBe(expected);
      expect(client.recorded.names).not.toContain('PCJ_PROTOCOLERROR');
    },
  );

  it('modern 3: an identifier may be missing, or have a resource, but not be of somebody else', async () => {
    for (const identifier of [null, 'alice@localhost', JID]) {
      const client = await ready();
      const { server, isReady } = await back(client);
      await server.send(success(resumed(0), identifier));
      expect(await isReady).toMatchObject({ resumed: true });
      expect(client.broker.jid?.toString()).toBe(JID);
    }
    const client = await ready();
    const { server } = await back(client);
    const failed = client.broker.events.once('PCJ_AUTHFAIL');
    await server.send(success(resumed(0), 'mallory@localhost'));
    expect(await failed).toMatchObject({ code: 'SASL2_BAD_IDENTIFIER' });
    const again = await authenticating(await client.peer.accept());
    expect(wished(again)).not.toContain('resume');
  });

  it.each([
    ['directly', `<failed xmlns='${NS.SM}' h='1'><item-not-found xmlns='${NS.STANZAS}'/></failed>`],
    [
      'wrapped, as by Prosody',
      `<failed xmlns='${NS.SM}' h='1'><error type='cancel'><item-not-found xmlns='${NS.STANZAS}'/></error></failed>`,
    ],
  ])('modern 1.4, 3: <failed/> with its condition %s counts h at once, and binding follows', async (_, said) => {
    const client = await ready();
    const tickets = [send(client, '1'), send(client, '2')];
    await client.server.expect('<body>2</body></message>');
    client.recorded.clear();
    const { server, isReady } = await back(client);
    await server.send(success(said) + AFTER);
    await bindAndEnable(server, "resume='true' id='session-2'");
    expect(await isReady).toMatchObject({ resumed: false });
    expect(tickets.map(({ state, possibleDuplicate }) => [state, possibleDuplicate])).toEqual([
      ['acked', false],
      ['queued', true],
    ]);
    expect(client.recorded.last('PCJ_SM_FAILED')).toMatchObject({ code: 'SM_FAILED', condition: 'item-not-found' });
    const { short } = client.recorded;
    expect(short.slice(short.indexOf('AUTHSUCCESS'), short.indexOf('BINDSUCCESS'))).toEqual(
      'AUTHSUCCESS SM_ACK SM_FAILED BINDNEGOTIATE RTS_START NODESENT(iq)'.split(' '),
    );
  });

  it('modern 3: h of <failed/> counts though the attempt fails later', async () => {
    const client = await ready();
    const ticket = send(client, '1');
    await client.server.expect('</message>');
    const { server } = await back(client);
    const acked = client.broker.events.once('PCJ_SM_ACK');
    await server.send(success(`<failed xmlns='${NS.SM}' h='1'><item-not-found xmlns='${NS.STANZAS}'/></failed>`));
    await acked;
    server.reset();
    expect(ticket.state).toBe('acked');
  });

  it('without an answer the session is over', async () => {
    const client = await ready();
    const { server, isReady } = await back(client);
    await server.send(success() + AFTER);
    await bindAndEnable(server);
    expect(await isReady).toMatchObject({ resumed: false });
    expect(client.recorded.last('PCJ_SM_FAILED')).toMatchObject({
      message: expect.stringContaining('did not answer') as string,
    });
  });

  it('where it is not offered with the sign-in, it is asked for behind it', async () => {
    const client = await ready();
    const { server, request, isReady } = await back(client, { sm: false });
    expect(wished(request)).not.toContain('resume');
    await server.send(success() + AFTER);
    await server.expect(/<resume [^>]*\/>/);
    await server.send(resumed(0));
    expect(await isReady).toMatchObject({ resumed: true });
  });

  it('modern 3: a wrong password leaves the session to be resumed', async () => {
    const client = await ready();
    const { server } = await back(client);
    await server.send(`<failure xmlns='${NS.SASL2}'><temporary-auth-failure xmlns='${NS.SASL}'/></failure>`);
    const next = await client.peer.accept();
    expect(wished(await authenticating(next))).toContain('resume');
    const isReady = client.broker.events.once(PCJ_READY);
    await next.send(success(resumed(0)));
    expect(await isReady).toMatchObject({ resumed: true });
  });

  it.each([
    ['a connection that is lost', (server: Conversation) => Promise.resolve().then(() => server.reset())],
    ['a stream error', (server: Conversation) => server.send(`${streamError('undefined-condition')}</stream:stream>`)],
  ])('modern 3: %s in place of an answer may be chance once, and not twice', async (_, act) => {
    const client = await ready();
    const first = await back(client);
    await act(first.server);
    const second = await client.peer.accept();
    expect(wished(await authenticating(second))).toContain('resume');
    await act(second);
    const third = await client.peer.accept();
    expect(wished(await authenticating(third))).not.toContain('resume');
  });

  it.each([
    ['of another session', success(resumed(0, 'session-2')), 'SM_BAD_RESUMED'],
    ['that counts too much', success(resumed(7)), 'SM_BAD_H'],
  ])('an answer %s ends the attempt, and the session', async (_, said, code) => {
    const client = await ready();
    const { server } = await back(client);
    const failed = client.broker.events.once('PCJ_CONNECTFAIL');
    await server.send(said);
    expect(await failed).toMatchObject({ code });
    expect(wished(await authenticating(await client.peer.accept()))).not.toContain('resume');
  });

  it('modern 9: limits of the features go on with the session', async () => {
    const client = await begun(RECONNECT);
    const limits = `<limits xmlns='${NS.STREAM_LIMITS}'><max-bytes>400</max-bytes></limits>`;
    await client.server.send(success() + features(BIND, SM, limits));
    await bindAndEnable(client.server);
    await client.connected;
    const { server, isReady } = await back(client);
    await server.send(success(resumed(0)));
    await isReady;
    expect(() => client.broker.output(xml('message', { to: 'b@c' }, xml('body', {}, 'x'.repeat(500))))).toThrow(
      BrokerError,
    );
  });
});

describe('Bind 2', () => {
  it('modern 2: is asked for only when told, with the tag and stream management', async () => {
    const off = await begun({}, BIND2_OFFER);
    expect(wished(off.request)).toEqual(['initial-response', 'user-agent']);
    const on = await begun(BIND2, BIND2_OFFER);
    expect(wished(on.request)).toEqual(['initial-response', 'user-agent', 'bind']);
    expect(on.request).toContain(
      `<bind xmlns='${NS.BIND2}'><tag>xmpp-broker</tag><enable xmlns='${NS.SM}' resume='true'/></bind>`,
    );
  });

  it('modern 2: order of events; modern 1.2: what features offer once more is not asked for again', async () => {
    const { server, connected, recorded, broker } = await begun(BIND2, BIND2_OFFER);
    await server.send(success(bound(enabled("resume='1' id='x' max='60'")), 'alice@localhost/tag~1') + AFTER);
    await connected;
    expect(broker.jid?.resource).toBe('tag~1');
    expect(recorded.short.slice(recorded.short.indexOf('AUTHNEGOTIATE'))).toEqual(
      'AUTHNEGOTIATE NODESENT(authenticate) AUTHSUCCESS BINDNEGOTIATE BINDSUCCESS SM_ENABLED READY'.split(' '),
    );
    expect(recorded.last('PCJ_SM_ENABLED')).toEqual({ id: 'x', max: 60, resumable: true });
    await server.send(`<message/><r xmlns='${NS.SM}'/>`);
    expect(hOf(await server.expect(/<a [^>]*\/>/))).toBe('1');
    expect(server.received.toString()).not.toMatch(/<iq|<enable xmlns[^>]*>(?!<\/bind>)/);
  });

  it('modern 1.8: stanzas between success and features count, and are delivered in order', async () => {
    const { server, connected, broker } = await begun(BIND2, BIND2_OFFER);
    const seen: (string | null)[] = [];
    broker.subscribe(PCJ_NODERECEIVED, (node) => void seen.push(node.getAttribute('id')));
    await server.send(
      `${success(bound(enabled()), 'alice@localhost/x')}<message id='1'/>${AFTER}<message id='2'/><r xmlns='${NS.SM}'/>`,
    );
    await connected;
    expect(hOf(await server.expect(/<a [^>]*\/>/))).toBe('2');
    expect(seen).toEqual(['1', '2']);
  });

  it('S-S2-4: a resumption that fails is followed by the binding', async () => {
    const client = await begun({ ...RECONNECT, ...BIND2 }, BIND2_OFFER);
    await client.server.send(success(bound(enabled()), 'alice@localhost/x') + AFTER);
    await client.connected;
    const { server, request, isReady } = await back(client, BIND2_OFFER);
    expect(wished(request)).toEqual(['initial-response', 'user-agent', 'resume', 'bind']);
    client.recorded.clear();
    const failed = `<failed xmlns='${NS.SM}'><item-not-found xmlns='${NS.STANZAS}'/></failed>`;
    await server.send(success(failed + bound(enabled("id='y' resume='true'")), 'alice@localhost/y') + AFTER);
    expect(await isReady).toMatchObject({ resumed: false });
    expect(client.recorded.short).toEqual(
      'AUTHSUCCESS SM_FAILED BINDNEGOTIATE BINDSUCCESS SM_ENABLED READY'.split(' '),
    );
  });

  it('S-S2-4: a resumption that works makes it void', async () => {
    const client = await begun({ ...RECONNECT, ...BIND2 }, BIND2_OFFER);
    await client.server.send(success(bound(enabled()), 'alice@localhost/x') + AFTER);
    await client.connected;
    const { server, isReady } = await back(client, BIND2_OFFER);
    await server.send(success(resumed(0), 'alice@localhost/x'));
    expect(await isReady).toMatchObject({ resumed: true });
    expect(client.broker.jid?.resource).toBe('x');
  });

  it('modern 2: an address without resource although bound, and one of another account', async () => {
    const bare = await begun(BIND2, BIND2_OFFER);
    await bare.server.send(success(bound(), 'alice@localhost') + AFTER);
    expect(await codeOf(bare.connected)).toBe('SASL2_BAD_IDENTIFIER');
    const other = await begun(BIND2, BIND2_OFFER);
    await other.server.send(success(bound(enabled()), 'bob@localhost/x') + AFTER);
    await other.connected;
    expect(other.recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'BIND_OTHER_USER' });
  });

  it.each([
    ['no answer', ''],
    [
      'a failed binding',
      `<failed xmlns='${NS.BIND2}'><error type='cancel'><conflict xmlns='${NS.STANZAS}'/></error></failed>`,
    ],
  ])('modern 1: %s is followed by binding as ever', async (_, said) => {
    const { server, connected } = await begun(BIND2, BIND2_OFFER);
    await server.send(success(said) + AFTER);
    await bindAndEnable(server);
    await connected;
  });

  it('stream management that is refused, not offered there, and not answered', async () => {
    const refused = await begun(BIND2, BIND2_OFFER);
    const no = `<failed xmlns='${NS.SM}'><internal-server-error xmlns='${NS.STANZAS}'/></failed>`;
    await refused.server.send(success(bound(no), 'alice@localhost/x') + AFTER);
    await refused.connected;
    expect(refused.recorded.last('PCJ_SM_FAILED')).toMatchObject({ condition: 'internal-server-error' });
    const elsewhere = await begun(BIND2, { bind: [] });
    expect(elsewhere.request).not.toContain('<enable');
    await elsewhere.server.send(success(bound(), 'alice@localhost/x') + AFTER);
    await elsewhere.server.expect(/<enable [^>]*\/>/);
    await elsewhere.server.send(enabled());
    await elsewhere.connected;
    const silent = await begun(BIND2, BIND2_OFFER);
    await silent.server.send(success(bound(), 'alice@localhost/x') + AFTER);
    await silent.connected;
    expect(silent.recorded.short).not.toContain('SM_ENABLED');
  });
});
