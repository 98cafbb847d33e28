// Every dialect, and every way to get ready, as a server's script. The same scripts are divided at every byte (split.test.ts)
// and cut at every byte (disconnect.test.ts).
import { NS, XMPP, type BrokerOptions } from 'xmpp-broker';
import type { Identity } from '../../support/certificates.js';
import { ScramServer } from '../../unit/protocols/sasl/support.js';
import { CLIENT, greet, iqId, JID, PASSWORD, secure } from '../support/client.js';
import { COMPONENT, DOMAIN, handshake, header } from '../support/component.js';
import type { Conversation } from '../support/conversation.js';
import { BIND, features, mechanisms, OPENING, SM, STARTTLS, streamError } from '../support/elements.js';
import { LEGACY_CLIENT, signIn } from '../support/legacy.js';
import type { RigDialect } from '../support/rig.js';
import { authentication, bound, enabled, resumed, success } from '../support/sasl2.js';
import { negotiate, NAME, route, SERVICE } from '../support/service.js';
import { streamHeader } from '../support/stream-header.js';
import { CLOSED, closing, text, welcome as welcomeToSocket, WebSocketPeer } from '../support/web-socket.js';

/** The server's side of one connection, up to where it has nothing to say any more. */
export type Play = (server: Conversation, link: number, identity: Identity) => Promise<void>;

export interface Variant {
  readonly options: Pick<BrokerOptions, 'connectionType' | 'domain'> & Partial<BrokerOptions>;
  /** Connections that it takes: each but the last is reset by the script once we are ready. Default 1. */
  readonly links?: number;
  /** Whether it is inside TLS from its first byte: it has no text that could be divided. Default false. */
  readonly isSecure?: boolean;
  /** Whether the stream begins in clear and is secured then. Default false. */
  readonly isUpgraded?: boolean;
  readonly play: Play;
  /** What it ends with. Default: ready. */
  readonly fails?: true;
}

/** A day in the life of a stream: everything that XML allows, an answer, and things that are none of ours. */
const day = (from: string): string =>
  [
    `<message from='a@b' to='${from}' id='1'><body>grüße &amp; &#x20AC; 😀<![CDATA[ <x/> ]]></body></message>`,
    `\n<iq type='result' id='asked' from='b.c' to='${from}'><q xmlns='urn:x'/></iq> `,
    `<message xmlns='jabber:client' from='a@b' to='${from}' id="2"><x:y xmlns:x='urn:y' x:z='1'/></message>`,
  ].join('');

/** A day with stream management. Its question is answered with what arrived by then, so it waits for the answer. */
async function managedDay(server: Conversation): Promise<void> {
  await server.send(`${day(JID)}<r xmlns='${NS.SM}'/>`);
  await server.expect(/<a [^>]*\/>/);
  await goodbye(server, `<a xmlns='${NS.SM}' h='1'/><presence from='a@b/c'/></stream:stream>`);
}

/** The last words of a server, and its last byte when we have had ours. */
async function goodbye(server: Conversation, words = '</stream:stream>'): Promise<void> {
  await server.send(words);
  await server.expectEnd();
  server.end();
}

const bindResult = (id: string): string =>
  `<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`;

/** What a client is let in by: the stanzas of the day follow at once. */
const ANONYMOUS = XMPP.with({ mechanisms: ['ANONYMOUS'] });

/** Signs a client in, in clear. */
async function anonymous(server: Conversation): Promise<void> {
  await greet(server, features(mechanisms('ANONYMOUS')), { id: 'a' });
  await server.expect('</auth>');
  await server.send(`<success xmlns='${NS.SASL}'/>`);
  await greet(server, features(BIND, SM), { id: 'b' });
}

/** Binds a client, or resumes its session: `h` of what we had before, null when there is no such session. */
async function bindOrResume(server: Conversation, h: number | null = null): Promise<'bound' | 'resumed'> {
  const first = await server.expect(/<resume [^>]*\/>|<iq[^>]* id='[^']+'[^>]*>.*?<\/iq>/);
  if (first.includes('<resume ') && h !== null) {
    await server.send(resumed(h));
    return 'resumed';
  }
  let id = / id='([^']+)'/.exec(first)?.[1] ?? '';
  if (first.includes('<resume ')) {
    await server.send(`<failed xmlns='${NS.SM}' h='1'><item-not-found xmlns='${NS.STANZAS}'/></failed>`);
    id = await iqId(server);
  }
  await server.send(bindResult(id));
  await server.expect(/<enable [^>]*\/>/);
  await server.send(enabled());
  return 'bound';
}

/** What {@link script} outputs on every ready link, in the server's view. */
const REQUEST = /<iq [^>]*id='asked'.*?<\/iq>/;

const clear: Play = async (server) => {
  await anonymous(server);
  await bindOrResume(server);
  await server.expect(REQUEST);
  await managedDay(server);
};

/** The first link is reset once two of our stanzas have arrived; the second says how many it had, or that it knows nothing. */
const again =
  (h: number | null): Play =>
  async (server, link) => {
    await anonymous(server);
    const how = await bindOrResume(server, link === 0 ? null : h);
    if (how === 'bound') await server.expect(REQUEST);
    if (link === 0) {
      await server.send(`<message id='0' to='${JID}'/>`);
      server.reset();
    } else await managedDay(server);
  };

/** SCRAM-SHA-256 by STARTTLS. */
const upgraded: Play = async (server, _, identity) => {
  await greet(server, features(STARTTLS), { id: 'clear' });
  await secure(server, identity);
  await greet(server, features(mechanisms('SCRAM-SHA-256')), { id: 'tls' });
  const scram = new ScramServer('sha256', PASSWORD);
  const decode = (found: RegExpExecArray) => Buffer.from(found[1] ?? '', 'base64');
  const initial = decode(await server.match(/<auth [^>]*>([^<]*)<\/auth>/));
  const said = (name: string, data: Buffer) => `<${name} xmlns='${NS.SASL}'>${data.toString('base64')}</${name}>`;
  await server.send(said('challenge', scram.challenge(initial)));
  const proof = decode(await server.match(/<response[^>]*>([^<]*)<\/response>/));
  await server.send(said('success', scram.final(proof)));
  await greet(server, features(BIND, SM), { id: 'b' });
  await bindOrResume(server);
  await server.expect(REQUEST);
  await managedDay(server);
};

/** PLAIN inside direct TLS. */
const direct: Play = async (server, _, identity) => {
  await server.startTls(identity);
  await greet(server, features(mechanisms('PLAIN')), { id: 'tls' });
  await server.expect('</auth>');
  await server.send(`<success xmlns='${NS.SASL}'/>`);
  await greet(server, features(BIND, SM), { id: 'b' });
  await bindOrResume(server);
  await server.expect(REQUEST);
  await managedDay(server);
};

/** SASL2 with Bind 2: one answer has the sign-in, the address, and stream management. */
const sasl2: Play = async (server, link, identity) => {
  await server.startTls(identity);
  await greet(server, features(authentication({ bind: [NS.SM] })), { id: 'tls' });
  const request = await server.expect('</authenticate>');
  const after = features(BIND, SM);
  if (request.includes('<resume ') && link > 0) {
    await server.send(success(resumed(1)) + after);
  } else {
    const refused = request.includes('<resume ')
      ? `<failed xmlns='${NS.SM}'><item-not-found xmlns='${NS.STANZAS}'/></failed>`
      : '';
    await server.send(success(refused + bound(enabled()), JID) + after);
    await server.expect(REQUEST);
  }
  if (link === 0) {
    await server.send(`<message id='0' to='${JID}'/>`);
    server.reset();
  } else await managedDay(server);
};

const BIND2 = XMPP.with({ mechanisms: ['PLAIN'], bind2: 'on' });

const component: Play = async (server) => {
  await handshake(server);
  await server.expect(REQUEST);
  await goodbye(server, `${day(DOMAIN)}</stream:stream>`);
};

const legacy: Play = async (server) => {
  await signIn(server);
  await server.expect(REQUEST);
  await goodbye(server, `${day('juliet@broker.test/balcony')}</stream:stream>`);
};

const service: Play = async (server) => {
  await negotiate(server);
  await server.expect(REQUEST);
  const packet = (content: string) => route(content, `to='${NAME}' from='sm'`);
  const stanzas = [
    `<message xmlns='jabber:client' from='a@b' to='x@${NAME}' id='1'><body>grüße &amp; &#x20AC; 😀</body></message>`,
    `<iq xmlns='jabber:client' type='result' id='asked' from='b.c' to='${NAME}'><q xmlns='urn:x'/></iq>`,
    `<message xmlns='jabber:client' from='a@b' to='x@${NAME}' id='2'><x:y xmlns:x='urn:y' x:z='1'/></message>`,
  ];
  await goodbye(server, `${stanzas.map(packet).join('\n')}</stream:stream>`);
};

/** Takes messages up to one that matches. */
async function until(peer: WebSocketPeer, pattern: RegExp): Promise<void> {
  while (!pattern.test(await peer.message()));
}

/** Messages of a WebSocket, and its end. */
const webSocket: Play = async (server) => {
  const peer = new WebSocketPeer(server);
  await peer.open();
  await welcomeToSocket(peer, { mechanism: 'ANONYMOUS' });
  await until(peer, REQUEST);
  const stanzas = [
    `<message xmlns='jabber:client' from='a@b' to='${JID}' id='1'><body>grüße &amp; &#x20AC; 😀</body></message>`,
    `<iq xmlns='jabber:client' type='result' id='asked' from='b.c' to='${JID}'><q xmlns='urn:x'/></iq>`,
    `<r xmlns='${NS.SM}'/>`,
  ];
  const last = `<message xmlns='jabber:client' from='a@b' to='${JID}' id='2'><x:y xmlns:x='urn:y' x:z='1'/></message>`;
  await server.sendBytes(Buffer.concat(stanzas.map(text)));
  await until(peer, /^<a /);
  await server.sendBytes(Buffer.concat([last, CLOSED].map(text)));
  await until(peer, /^<close /);
  await peer.next();
  await server.sendBytes(closing(1000, 'done'));
  await server.expectEnd();
  server.end();
};

const secureWebSocket: Play = async (server, link, identity) => {
  await server.startTls({ ...identity, ALPNProtocols: ['http/1.1'] });
  await webSocket(server, link, identity);
};

/** A transcript that is said step by step, and not in one: the server waits for what it answers. */
const said =
  (...steps: readonly (readonly [after: RegExp, words: string])[]): Play =>
  async (server) => {
    for (const [after, words] of steps) {
      await server.expect(after);
      await server.send(words);
    }
    await server.expectEnd();
    server.end();
  };

const HANDSHAKE = /<\/handshake>/;
const HEADER = `<?xml version='1.0'?>${header('S&amp;1ü')}`;
const REFUSAL = `<stream:error><not-authorized xmlns='${NS.STREAMS}'/><text xmlns='${NS.STREAMS}'>nein: €</text></stream:error></stream:stream>`;

const clearText = { tls: { policy: 'disabled' } } as const;
const ofComponent = { ...COMPONENT.options, ...clearText };
const ofClient = {
  ...CLIENT.options,
  connectionType: ANONYMOUS,
  username: undefined,
  password: undefined,
  ...clearText,
};
const inTls = (dialect: RigDialect<never>, policy: 'direct' | 'required') =>
  ({ ...dialect.options, tls: { policy } }) as const;

export const VARIANTS = {
  component: { options: ofComponent, play: component },
  'component, direct TLS': {
    options: inTls(COMPONENT, 'direct'),
    isSecure: true,
    play: async (server, link, identity) => {
      await server.startTls(identity);
      await component(server, link, identity);
    },
  },
  'component, refused secret': {
    options: ofComponent,
    play: said([OPENING, HEADER], [HANDSHAKE, REFUSAL]),
    fails: true,
  },
  'component, unknown name': {
    options: ofComponent,
    play: said([
      OPENING,
      `${streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: '', from: null, version: '1.0' })}${streamError('host-unknown')}</stream:stream>`,
    ]),
    fails: true,
  },
  'component, broken XML': {
    options: ofComponent,
    play: said(
      [OPENING, HEADER],
      [HANDSHAKE, "<handshake/><message id='1'/><message>&nbsp;</message><message id='2'/>"],
    ),
  },
  'component, stream error': {
    options: ofComponent,
    play: said(
      [OPENING, HEADER],
      [HANDSHAKE, `<handshake/><message id='1'/>${streamError('conflict')}</stream:stream>`],
    ),
  },
  'component, stanza too early': {
    options: ofComponent,
    play: said([OPENING, `${HEADER}<message id='1'/><handshake/>`]),
    fails: true,
  },
  jabberd2: { options: SERVICE.options, play: service },
  legacy: { options: LEGACY_CLIENT.options, play: legacy },
  'client, in clear': { options: ofClient, play: clear },
  'client, STARTTLS and SCRAM': {
    options: { ...inTls(CLIENT, 'required'), connectionType: XMPP.with({ mechanisms: ['SCRAM-SHA-256'] }) },
    isUpgraded: true,
    play: upgraded,
  },
  'client, direct TLS': { options: inTls(CLIENT, 'direct'), isSecure: true, play: direct },
  'client, resumption': { options: ofClient, links: 2, play: again(1) },
  'client, failed resumption': { options: ofClient, links: 2, play: again(null) },
  'client, SASL2 and Bind 2, resumption': {
    options: { ...inTls(CLIENT, 'direct'), connectionType: BIND2 },
    links: 2,
    isSecure: true,
    play: sasl2,
  },
  'client, failed sign-in': {
    options: ofClient,
    play: said(
      [OPENING, streamHeader({ id: 'a' }) + features(mechanisms('ANONYMOUS'))],
      [
        /<\/auth>/,
        `<failure xmlns='${NS.SASL}'><not-authorized/><text xml:lang='de'>nein: €</text></failure></stream:stream>`,
      ],
    ),
    fails: true,
  },
  WebSocket: { options: { ...ofClient, websocket: 'ws://localhost:1/x' }, play: webSocket },
  'WebSocket, inside TLS': {
    options: { ...ofClient, tls: {}, websocket: 'wss://localhost:1/x' },
    isSecure: true,
    play: secureWebSocket,
  },
} satisfies Record<string, Variant>;

export type VariantName = keyof typeof VARIANTS;

/** A part of the split: the bytes on the wire of a variant, or what is said inside. */
export interface SplitPart {
  readonly variant: VariantName;
  readonly level: 'down' | 'text';
}

/** What is divided: the bytes on the wire, and where those are encrypted, what is said inside, too. */
export const SPLIT_PARTS: Readonly<Record<string, SplitPart>> = Object.fromEntries(
  (Object.entries(VARIANTS) as [VariantName, Variant][]).flatMap(([variant, { isSecure, isUpgraded }]) => {
    const onWire: [string, SplitPart] = [variant, { variant, level: 'down' }];
    if (isSecure !== true && isUpgraded !== true) return [onWire];
    return [onWire, [`${variant}, inside`, { variant, level: 'text' }] satisfies [string, SplitPart]];
  }),
);
