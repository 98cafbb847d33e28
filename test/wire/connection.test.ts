import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  Connection,
  HANDLED,
  JABBER_NS,
  JabberNode,
  NodeFactory,
  NS,
  StanzaError,
  XMPP,
  type ConnectionOptions,
} from 'xmpp-broker';
import {
  failure,
  features,
  mechanisms,
  BIND,
  OPENING,
  streamHeader,
  useRig,
  type Conversation,
  type ScriptedPeer,
} from './support/index.js';
import { DOMAIN, LEGACY_CLIENT, readIq } from './support/legacy.js';

const { NS_ACCEPT } = JABBER_NS.stream;
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');
const nodes = new NodeFactory();

const rig = useRig(LEGACY_CLIENT);

function make(peer: ScriptedPeer, options: Partial<ConnectionOptions> = {}): Connection {
  const connection = new Connection({
    server: `127.0.0.1:${String(peer.port)}`,
    localname: DOMAIN,
    tls: { policy: 'disabled' },
    timeouts: { close: 100 },
    logger: false,
    ...options,
  });
  rig.add(connection.broker);
  return connection;
}

const header = (id: string | null = 'S1', xmlns = 'jabber:client') =>
  streamHeader({ xmlns, id, from: DOMAIN, version: null });

async function open(server: Conversation, behind = '', xmlns?: string): Promise<void> {
  await server.expect(OPENING);
  await server.send(header('S1', xmlns) + behind);
}

async function acceptDigest(server: Conversation): Promise<string> {
  const get = await readIq(server);
  await server.send(
    `<iq type='result' id='${get.id}'><query xmlns='jabber:iq:auth'><username/><digest/><password/><resource/></query></iq>`,
  );
  const set = await readIq(server);
  await server.send(`<iq type='result' id='${set.id}'/>`);
  return set.text;
}

async function client(
  options: Partial<ConnectionOptions> = {},
): Promise<{ connection: Connection; server: Conversation; peer: ScriptedPeer }> {
  const peer = await rig.listen();
  const connection = make(peer, options);
  const connected = connection.connect();
  const server = await peer.accept();
  await open(server);
  await connected;
  const signedIn = connection.auth('juliet', 'r0m30', 'balcony');
  await acceptDigest(server);
  await signedIn;
  return { connection, server, peer };
}

const message = (body: string) => `<message from='romeo@${DOMAIN}'><body>${body}</body></message>`;

describe('connect and auth', () => {
  it('a client: the stream first, then jabber:iq:auth with what auth() was given', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    expect(connection.connected).toBe(false);
    const connected = connection.connect();
    const server = await peer.accept();
    const opened = await server.expect(OPENING);
    expect(opened).toContain(`to='${DOMAIN}'`);
    expect(opened).not.toContain('version=');
    await server.send(header());
    await connected;
    expect(connection.connected).toBe(true);
    expect(server.received.toString()).not.toContain('<iq');
    const signedIn = connection.auth('juliet', 'r0m30', 'balcony');
    const set = await acceptDigest(server);
    await signedIn;
    expect(set).toContain('<username>juliet</username>');
    expect(set).toContain(`<digest>${sha1('S1r0m30')}</digest>`);
    expect(set).toContain('<resource>balcony</resource>');
    expect(connection.broker.jid?.toString()).toBe(`juliet@${DOMAIN}/balcony`);
    expect(connection.lastError).toBeNull();
  });

  it('[X] a component: its digest is made of the id, however late the header comes', async () => {
    const peer = await rig.listen();
    const connection = make(peer, { ns: NS_ACCEPT });
    const connected = connection.connect();
    const server = await peer.accept();
    await server.expect(OPENING);
    await server.sendSplit(header('late', NS_ACCEPT), [10]);
    await connected;
    const signedIn = connection.auth('secret');
    await server.expect(`>${sha1('latesecret')}</handshake>`);
    await server.send('<handshake/>');
    await signedIn;
    expect(connection.broker.jid?.toString()).toBe(DOMAIN);
  });

  it('the password may be a function, and features may come at any time', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server, '<stream:features/>');
    await connected;
    await server.send('<stream:features/>');
    const signedIn = connection.auth('juliet', () => Promise.resolve('r0m30'), 'balcony');
    expect(await acceptDigest(server)).toContain(sha1('S1r0m30'));
    await signedIn;
  });

  it('a program may take its time before auth()', async () => {
    const peer = await rig.listen();
    const connection = make(peer, { timeouts: { stream: 20, close: 100 } });
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server);
    await connected;
    // Three times as long as a server may take.
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(connection.connected).toBe(true);
    const signedIn = connection.auth('juliet', 'r0m30', 'balcony');
    await acceptDigest(server);
    await signedIn;
  });

  it('TLS is the default: STARTTLS inside auth(), direct TLS inside connect()', async () => {
    const starttls = await rig.listen();
    const one = make(starttls, { tls: { ca: rig.authority.ca } });
    const connected = one.connect();
    const server = await starttls.accept();
    await open(server);
    await connected;
    const signedIn = one.auth('juliet', 'r0m30', 'balcony');
    await server.expect(/<starttls[^>]*>/);
    await server.send(`<proceed xmlns='${NS.TLS}'/>`);
    await server.startTls(rig.identity);
    await open(server);
    // The stream outside had the same id: it is refused.
    expect(await failure(signedIn)).toMatchObject({ code: 'STREAM_ID_REUSED' });

    const direct = await rig.listen('direct');
    const two = make(direct, { tls: { policy: 'direct', ca: rig.authority.ca } });
    const secured = two.connect();
    const inside = await direct.accept();
    await open(inside);
    await secured;
    const done = two.auth('juliet', 'r0m30', 'balcony');
    await acceptDigest(inside);
    await done;
  });

  it('another dialect: XMPP with SASL', async () => {
    const peer = await rig.listen('direct');
    const connection = make(peer, { dialect: XMPP, tls: { policy: 'direct', ca: rig.authority.ca } });
    const connected = connection.connect();
    const server = await peer.accept();
    await server.expect(/<stream:stream[^>]*version='1\.0'[^>]*>/);
    await server.send(streamHeader({ id: 'A', from: DOMAIN }) + features(mechanisms('PLAIN')));
    await connected;
    const signedIn = connection.auth('juliet', 'r0m30');
    const [, plain = ''] = await server.match(/<auth[^>]*mechanism='PLAIN'[^>]*>([^<]*)<\/auth>/);
    expect(plain).toBe('AGp1bGlldAByMG0zMA==');
    await server.send(`<success xmlns='${NS.SASL}'/>`);
    await server.expect(OPENING);
    await server.send(streamHeader({ id: 'B', from: DOMAIN }) + features(BIND));
    const bind = await readIq(server);
    await server.send(
      `<iq type='result' id='${bind.id}'><bind xmlns='${NS.BIND}'><jid>juliet@${DOMAIN}/x</jid></bind></iq>`,
    );
    await signedIn;
    expect(connection.broker.jid?.toString()).toBe(`juliet@${DOMAIN}/x`);
  });
});

describe('what goes wrong on the way', () => {
  it('refused TCP: connect() rejects, lastError tells', async () => {
    const peer = await rig.listen();
    peer.refuse();
    await peer.close();
    const connection = make(peer);
    const error = await failure(connection.connect());
    expect(error).toMatchObject({ code: 'TCP_REFUSED' });
    expect(connection.lastError).toBe(error);
    expect(connection.connected).toBe(false);
  });

  it.each([
    ['[X] in the way of RFC 6120', `<host-unknown xmlns='${NS.STREAMS}'/>`, 'host-unknown', undefined],
    ['as old text', 'no such host here', 'undefined-condition', 'no such host here'],
  ])('a stream error %s behind the header stops connect()', async (_, content, condition, text) => {
    const peer = await rig.listen();
    const connection = make(peer);
    const connected = failure(connection.connect());
    const server = await peer.accept();
    await open(server, `<stream:error>${content}</stream:error></stream:stream>`);
    const error = await connected;
    expect(error).toMatchObject({ code: 'STREAM_ERROR', condition });
    expect(error.text).toBe(text);
    expect(connection.lastError).toMatchObject({ condition });
    expect(await failure(connection.auth('a', 'b', 'c'))).toMatchObject({ condition });
  });

  it('a server that leaves before auth(): auth() rejects with the reason', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server);
    await connected;
    await server.send(`<stream:error><system-shutdown xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`);
    server.end();
    await connection.broker.closed;
    expect(connection.connected).toBe(false);
    expect(await failure(connection.auth('a', 'b', 'c'))).toMatchObject({ condition: 'system-shutdown' });
    expect(await connection.process()).toBe(false);
  });

  it('[X] an error to the request for the fields, and a refused password, reject auth()', async () => {
    for (const step of ['get', 'set']) {
      const peer = await rig.listen();
      const connection = make(peer);
      const connected = connection.connect();
      const server = await peer.accept();
      await open(server);
      await connected;
      const signedIn = failure(connection.auth('juliet', 'wrong', 'balcony'));
      let { id } = await readIq(server);
      if (step === 'set') {
        await server.send(`<iq type='result' id='${id}'><query xmlns='jabber:iq:auth'><digest/></query></iq>`);
        ({ id } = await readIq(server));
      }
      await server.send(`<iq type='error' id='${id}'><error code='401'/></iq>`);
      const error = await signedIn;
      expect(error).toMatchObject({ code: 'LEGACY_REFUSED', condition: 'not-authorized' });
      expect(connection.lastError).toMatchObject({ code: 'LEGACY_REFUSED' });
      expect(connection.connected).toBe(false);
    }
  });

  it('a bad secret arrives as a stream error', async () => {
    const peer = await rig.listen();
    const connection = make(peer, { ns: NS_ACCEPT });
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server, '', NS_ACCEPT);
    await connected;
    const signedIn = failure(connection.auth('wrong'));
    await server.expect('</handshake>');
    await server.send(`<stream:error><not-authorized xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`);
    expect(await signedIn).toMatchObject({ code: 'STREAM_ERROR', condition: 'not-authorized' });
  });

  it('a server that talks without end before auth() is left', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server);
    await connected;
    await server.send("<x xmlns='urn:x'/>".repeat(30));
    await connection.broker.closed;
    expect(connection.lastError).toMatchObject({ code: 'STREAM_UNEXPECTED' });
  });

  it('an early stanza is refused', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    const connected = connection.connect();
    const server = await peer.accept();
    await open(server);
    await connected;
    await server.send(message('early'));
    await connection.broker.closed;
    expect(connection.lastError).toMatchObject({ code: 'STREAM_EARLY_STANZA' });
  });

  it('an abort signal, and disconnect(), end connect()', async () => {
    const peer = await rig.listen();
    const controller = new AbortController();
    const one = make(peer);
    const aborted = failure(one.connect({ signal: controller.signal }));
    await peer.accept();
    controller.abort();
    expect(await aborted).toMatchObject({ code: 'CONNECT_ABORTED' });
    const two = make(peer);
    const given = failure(two.connect());
    await peer.accept();
    await two.disconnect();
    expect(await given).toMatchObject({ code: 'CONNECT_ABORTED' });
  });

  it('calls that are not in order, or miss something', async () => {
    const peer = await rig.listen();
    const connection = make(peer);
    expect(await failure(connection.auth('a', 'b', 'c'))).toMatchObject({ code: 'USAGE_AUTH' });
    expect(await failure(connection.process())).toMatchObject({ code: 'USAGE_PROCESS' });
    expect(await failure(connection.start())).toMatchObject({ code: 'USAGE_PROCESS' });
    expect(() => connection.send('<presence/>')).toThrow(expect.objectContaining({ code: 'CONNECTION_NOT_READY' }));
    expect(await failure(connection.ask('<iq/>'))).toMatchObject({ code: 'CONNECTION_NOT_READY' });
    const connected = connection.connect();
    expect(await failure(connection.connect())).toMatchObject({ code: 'USAGE_CONNECTED' });
    const server = await peer.accept();
    await open(server);
    await connected;
    expect(() => connection.send('<presence/>')).toThrow(expect.objectContaining({ code: 'CONNECTION_NOT_READY' }));
    for (const args of [['juliet'], ['juliet', ''], ['', 'b', 'c'], ['a', 'b'], ['a', 'b', '']]) {
      const [first = '', ...rest] = args;
      const error = await failure(connection.auth(first, ...(rest as [string, string])));
      expect(error).toMatchObject({ code: 'USAGE_AUTH' });
    }
    const signedIn = connection.auth('juliet', 'r0m30', 'balcony');
    expect(await failure(connection.auth('juliet', 'r0m30', 'balcony'))).toMatchObject({ code: 'USAGE_AUTH' });
    await acceptDigest(server);
    await signedIn;
    const component = make(peer, { ns: NS_ACCEPT });
    expect(await failure(component.auth('a', 'b', 'c'))).toMatchObject({ code: 'USAGE_AUTH' });
    expect(await failure(component.auth(''))).toMatchObject({ code: 'USAGE_AUTH' });
  });
});

describe('send and ask', () => {
  it('nodes, elements and strings go out in order', async () => {
    const { connection, server } = await client();
    const node = nodes.newNode('message');
    node.attr('to', 'a@b');
    node.insertTag('body').data('1 & <2>');
    connection.send(node);
    connection.send(node.clone().element);
    connection.send("<message to='c@d'/>");
    await server.expect("<message to='a@b'><body>1 &amp; &lt;2&gt;</body></message>");
    await server.expect("<message to='a@b'><body>1 &amp; &lt;2&gt;</body></message>");
    await server.expect("<message to='c@d'/>");
    expect(() => connection.send('<a><b></a>')).toThrow(expect.objectContaining({ code: 'USAGE_NOT_ONE_STANZA' }));
    expect(() => connection.send(7 as never)).toThrow(expect.objectContaining({ code: 'USAGE_ELEMENT' }));
  });

  it('[X] the answer is the one with the id; others go to handlers, what is behind is not lost', async () => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.getTag('body')?.data() ?? ''));
    connection.registerHandler('iq', (node) => void seen.push(node.attr('id') ?? ''));
    const iq = nodes.newNode('iq');
    iq.attr('type', 'get');
    iq.insertTag('query', JABBER_NS.iq.NS_ROSTER);
    const asked = connection.ask(iq);
    const { id } = await readIq(server);
    expect(iq.attr('id')).toBeUndefined();
    await server.send(
      `${message('before')}<iq type='result' id='other'/><iq type='result' id='${id}'><query xmlns='jabber:iq:roster'><item jid='romeo@${DOMAIN}'/></query></iq>${message('after')}`,
    );
    const answer = await asked;
    expect(answer).toBeInstanceOf(JabberNode);
    expect(answer.getTag('query')?.getTag('item')?.attr('jid')).toBe(`romeo@${DOMAIN}`);
    while (seen.length < 3) await connection.process(1);
    expect(seen).toEqual(['before', 'other', 'after']);
  });

  it('an error answer rejects, and carries it', async () => {
    const { connection, server } = await client();
    const asked = failure(connection.ask("<iq type='get' id='own' to='x@y'><q xmlns='u:q'/></iq>"));
    await server.expect("id='own'");
    await server.send(`<iq type='error' id='own' from='x@y'><error code='404'/></iq>`);
    const error = await asked;
    expect(error).toBeInstanceOf(StanzaError);
    expect(error).toMatchObject({ condition: 'item-not-found', stanza: { localName: 'iq' } });
  });

  it('[X] no answer: a time limit; a lost link: at once', async () => {
    const { connection, server } = await client();
    const query = "<iq type='get' to='x@y'><q xmlns='u:q'/></iq>";
    expect(await failure(connection.ask(query, { timeout: 20 }))).toMatchObject({ code: 'RTS_TIMEOUT' });
    const cut = failure(connection.ask(query));
    await server.expect(/<iq .*<iq .*?<\/iq>/s);
    server.reset();
    expect(await cut).toMatchObject({ code: 'RTS_DISCONNECTED' });
    expect(await connection.process()).toBe(false);
    expect(connection.lastError).toMatchObject({ layer: 'tcp' });
  });

  it('handlers may ask while start() runs', async () => {
    const { connection, server } = await client();
    const answers: string[] = [];
    connection.registerHandler('message', async (node) => {
      const asked = nodes.newNode('iq');
      asked.attr('type', 'get');
      asked.insertTag('q', 'u:q').data(node.getTag('body')?.data() ?? '');
      answers.push((await connection.ask(asked)).attr('id') ?? '');
    });
    const running = connection.start();
    await server.send(message('1') + message('2'));
    for (let n = 1; n <= 2; n += 1) {
      const { id, text } = await readIq(server);
      expect(text).toContain(`>${String(n)}<`);
      await server.send(`<iq type='result' id='${id}'/>`);
    }
    await server.send('</stream:stream>');
    server.end();
    await running;
    expect(answers).toHaveLength(2);
  });
});

describe('process and start', () => {
  it('process(): true after handling, true when the time is over, false at the end', async () => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.getTag('body')?.data() ?? ''));
    expect(await connection.process(0)).toBe(true);
    expect(await connection.process(0.01)).toBe(true);
    expect(seen).toEqual([]);
    await server.send(message('1'));
    expect(await connection.process(5)).toBe(true);
    expect(seen).toEqual(['1']);
    await server.send(`${message('2')}${message('0')}</stream:stream>`);
    server.end();
    let running = true;
    while (running) running = await connection.process(5);
    expect(seen).toEqual(['1', '2', '0']);
    expect(await connection.process(5)).toBe(false);
    expect(connection.connected).toBe(false);
    expect(connection.lastError).toBeNull();
  });

  it('[X] stanzas of any size and cut come at once', async () => {
    const { connection, server } = await client();
    const sizes: number[] = [];
    connection.registerHandler('message', (node) => void sizes.push(node.toStr().length));
    const envelope = message('').length;
    await server.send(message('x'.repeat(1024 - envelope)) + message('x'.repeat(2048 - envelope)));
    while (sizes.length < 2) await connection.process(5);
    await server.sendSplit(message('y'.repeat(100)), [1]);
    while (sizes.length < 3) await connection.process(5);
    expect(sizes[1]! - sizes[0]!).toBe(1024);
  });

  it('[X] white space between stanzas, and an end without any, do no harm', async () => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.toStr()));
    await server.send(`\n \n${message('1')}\n\n </stream:stream>`);
    server.end();
    await connection.start();
    expect(seen).toHaveLength(1);
    expect(seen[0]).not.toContain('\n');
  });

  it('start() runs until the server closes, in wire order, one handler at a time', async () => {
    const { connection, server } = await client();
    const log: string[] = [];
    connection.registerHandler('message', async (node) => {
      const body = node.getTag('body')?.data() ?? '';
      log.push(`${body} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      log.push(`${body} ends`);
      return HANDLED;
    });
    connection.registerHandler('message', () => void log.push('never'));
    const running = connection.start();
    await server.send(`${message('1')}${message('2')}<presence/></stream:stream>`);
    server.end();
    await running;
    expect(log).toEqual(['1 begins', '1 ends', '2 begins', '2 ends']);
  });

  it('what arrives before a handler is there waits for it', async () => {
    const { connection, server } = await client();
    await server.send(message('early'));
    await connection.broker.events.once('PCJ_NODERECEIVED');
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.getTag('body')?.data() ?? ''));
    await connection.process(1);
    expect(seen).toEqual(['early']);
  });

  it('what a handler throws comes out of process() and start(); the next stanza is handled', async () => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => {
      const body = node.getTag('body')?.data() ?? '';
      seen.push(body);
      if (body === 'bad') throw new Error('handler');
    });
    await server.send(`${message('bad')}${message('good')}</stream:stream>`);
    server.end();
    await expect(connection.process(5)).rejects.toThrow('handler');
    await connection.start();
    expect(seen).toEqual(['bad', 'good']);
  });

  it.each([
    ['[X] in the way of RFC 6120', `<conflict xmlns='${NS.STREAMS}'/>`, 'conflict'],
    ['as old text', 'replaced', 'undefined-condition'],
  ])('a stream error %s is thrown once, after what came before it', async (_, content, condition) => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.name()));
    await server.send(`${message('1')}<stream:error>${content}</stream:error></stream:stream>`);
    server.end();
    const error = await failure(connection.start());
    expect(error).toMatchObject({ code: 'STREAM_ERROR', condition });
    expect(connection.lastError).toMatchObject({ condition });
    expect(await connection.process()).toBe(false);
    expect(seen).toEqual(['message']);
  });

  it('broken XML is thrown', async () => {
    const { connection, server } = await client();
    const running = failure(connection.start());
    await server.send('<message><body></message>');
    expect(await running).toMatchObject({ layer: 'xml' });
  });

  it('a cut link ends start(), and lastError tells why', async () => {
    const { connection, server } = await client();
    const running = connection.start();
    server.reset();
    await running;
    expect(connection.lastError).toMatchObject({ layer: 'tcp' });
  });

  it('a halted broker ends start()', async () => {
    const { connection } = await client();
    const running = connection.start();
    connection.broker.halt();
    await running;
    expect(connection.connected).toBe(false);
  });

  it('only one at a time; bad arguments', async () => {
    const { connection, server } = await client();
    const running = connection.start();
    expect(await failure(connection.process())).toMatchObject({ code: 'USAGE_PROCESS' });
    expect(await failure(connection.start())).toMatchObject({ code: 'USAGE_PROCESS' });
    for (const seconds of [-1, Number.NaN, '1']) {
      expect(await failure(connection.process(seconds as number))).toMatchObject({ code: 'USAGE_PROCESS' });
    }
    await server.send('</stream:stream>');
    server.end();
    await running;
  });

  it('an inbox that nobody empties is bounded: the connection is closed', async () => {
    const { connection, server } = await client({ inboxLimit: 5 });
    await server.send(message('x').repeat(10));
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    await connection.broker.closed;
    expect(await failure(connection.process())).toMatchObject({ code: 'CONNECTION_INBOX_FULL' });
    expect(connection.lastError).toMatchObject({ code: 'CONNECTION_INBOX_FULL' });
    expect(await connection.process()).toBe(false);
  });

  it('a request that no handler answers is answered, when asked for; one that is, is not', async () => {
    const { connection, server } = await client({ answerRequests: true });
    connection.registerHandler('iq', (node) => {
      if (node.getTag('query', JABBER_NS.iq.NS_VERSION) === undefined) return undefined;
      const answer = nodes.newNode('iq');
      answer.attr('type', 'result');
      answer.attr('id', node.attr('id') ?? '');
      connection.send(answer);
      return HANDLED;
    });
    const running = connection.start();
    await server.send(`<iq type='get' id='v'><query xmlns='jabber:iq:version'/></iq>`);
    expect(await server.expect(/<iq [^>]*id='v'[^>]*>/)).toContain("type='result'");
    await server.send(`<iq type='get' id='u'><query xmlns='u:unknown'/></iq>`);
    expect(await server.expect(/<iq .*?<\/iq>/s)).toContain('service-unavailable');
    await server.send('</stream:stream>');
    server.end();
    await running;
    expect(server.received.toString().match(/id='v'/g)).toHaveLength(1);
  });
});

describe('beats', () => {
  it('run while start() runs, and what they throw comes out of it', async () => {
    const { connection, server } = await client();
    let beats = 0;
    connection.registerBeat(0.01, () => {
      beats += 1;
      connection.send('<presence/>');
    });
    await connection.process(0.05);
    expect(beats).toBe(0);
    const running = connection.start();
    await server.expect(/<presence\/>.*<presence\/>/s);
    await server.send('</stream:stream>');
    server.end();
    await running;
    const after = beats;
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(beats).toBe(after);
    expect(beats).toBeGreaterThanOrEqual(2);
  });

  it('one that throws ends start(), not the connection', async () => {
    const { connection } = await client();
    connection.registerBeat(0.01, () => {
      throw new Error('beat');
    });
    await expect(connection.start()).rejects.toThrow('beat');
    expect(connection.connected).toBe(true);
  });
});

describe('disconnect', () => {
  it('[X] closes the stream and the connection: nothing can be sent any more', async () => {
    const { connection, server } = await client();
    const running = connection.start();
    const closing = connection.disconnect();
    await server.expect('</stream:stream>');
    await server.send(`${message('last')}</stream:stream>`);
    await closing;
    await running;
    await server.expectEnd();
    expect(connection.connected).toBe(false);
    expect(connection.lastError).toBeNull();
    expect(() => connection.send('<presence/>')).toThrow(expect.objectContaining({ code: 'CONNECTION_NOT_READY' }));
    expect(await connection.process()).toBe(false);
    await connection.disconnect();
  });

  it('what still arrives is handled', async () => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.getTag('body')?.data() ?? ''));
    const closing = connection.disconnect();
    await server.expect('</stream:stream>');
    await server.send(`${message('last')}</stream:stream>`);
    await closing;
    await connection.start();
    expect(seen).toEqual(['last']);
  });

  it('the same connection can be used again: handlers stay, nothing old is left', async () => {
    const { connection, server, peer } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.getTag('body')?.data() ?? ''));
    await server.send(message('old'));
    await connection.broker.events.once('PCJ_NODERECEIVED');
    server.reset();
    await connection.broker.closed;
    const connected = connection.connect();
    const second = await peer.accept();
    await open(second);
    await connected;
    expect(connection.lastError).toBeNull();
    const signedIn = connection.auth('nurse', 'r0m30', 'hall');
    expect(await acceptDigest(second)).toContain('<username>nurse</username>');
    await signedIn;
    await second.send(message('new'));
    await connection.process(5);
    expect(seen).toEqual(['new']);
  });

  it('await using', async () => {
    let outside: Connection;
    {
      const { connection, server } = await client();
      await using inside = connection;
      outside = inside;
      void server.expect('</stream:stream>').then(() => server.send('</stream:stream>'));
    }
    expect(outside.connected).toBe(false);
  });
});

describe('log', () => {
  it('[X] shows each element and no credentials', async () => {
    const lines: string[] = [];
    const { connection, server } = await client({ log: (line) => void lines.push(line) });
    connection.send('<presence/>');
    await server.expect('<presence/>');
    await server.send(message('hello'));
    await connection.process(5);
    expect(lines[0]).toMatch(/^SEND: .*stream:stream/);
    expect(lines.some((line) => line.startsWith('SEND: <presence'))).toBe(true);
    expect(lines.some((line) => line.startsWith('RECV: ') && line.includes('hello'))).toBe(true);
    expect(lines.join('\n')).not.toContain(sha1('S1r0m30'));
    expect(lines.join('\n')).not.toContain('r0m30');
  });
});
