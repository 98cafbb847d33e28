// faults A10: what servers say too often, too early, or with blanks around it, is taken where its meaning is clear.
import { describe, expect, it } from 'vitest';
import { NS } from 'xmpp-broker';
import { authenticate, CLIENT, greet, iqId, JID, welcome, welcomeBack } from './support/client.js';
import { COMPONENT } from './support/component.js';
import type { Conversation } from './support/conversation.js';
import { BIND, features, mechanisms, OPENING, SM } from './support/elements.js';
import { LEGACY_CLIENT } from './support/legacy.js';
import { useRig, type RigDialect, type Said } from './support/rig.js';
import { answer, open, readBind, route, SERVICE, signIn, message as routed } from './support/service.js';
import { streamHeader } from './support/stream-header.js';

const ASKS = `<r xmlns='${NS.SM}'/>`;
const tells = (h: number): string => `<a xmlns='${NS.SM}' h='${String(h)}'/>`;
const ENABLED = `<enabled xmlns='${NS.SM}' resume='true' id='session-1'/>`;
const MESSAGE = `<message from='bob@localhost/x' id='early'><body>hi</body></message>`;

/** What a client of XMPP is told up to its binding, each part as it may be said. */
interface Script {
  readonly offer?: string;
  readonly behindSuccess?: (server: Conversation) => Promise<unknown>;
  readonly beforeBound?: string;
  readonly jid?: string;
  readonly beforeEnabled?: string;
  readonly behindEnabled?: string;
}

const restarted = (server: Conversation) => greet(server, features(BIND, SM), { id: 'auth-1' });

async function letIn(server: Conversation, script: Script): Promise<void> {
  await greet(server, features(script.offer ?? mechanisms('PLAIN')), { id: 'tls-1' });
  await server.expect('</auth>');
  if (script.behindSuccess === undefined) await server.send(`<success xmlns='${NS.SASL}'/>`);
  await (script.behindSuccess ?? restarted)(server);
  const id = await iqId(server);
  const jid = script.jid ?? JID;
  await server.send(
    `${script.beforeBound ?? ''}<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${jid}</jid></bind></iq>`,
  );
  await server.expect(/<enable [^>]*\/>/);
  await server.send(`${script.beforeEnabled ?? ''}${ENABLED}${script.behindEnabled ?? ''}`);
}

const DECLARED = `<?xml version='1.0'?>${streamHeader({ id: 'auth-1' })}${features(BIND, SM)}`;
const SUCCESS = `<success xmlns='${NS.SASL}'/>`;

/** The white space and the declaration in as many pieces. */
const inPieces =
  (...pieces: readonly string[]) =>
  async (server: Conversation): Promise<void> => {
    const [first = '', ...rest] = pieces;
    await server.send(SUCCESS + first);
    await server.expect(OPENING);
    for (const piece of rest) await server.sendSplit(piece, [piece.length]);
    await server.send(DECLARED);
  };

const SCRIPTS: readonly (readonly [string, Script])[] = [
  ['a second <enabled/>', { behindEnabled: ENABLED }],
  ['<r/> ahead of <enabled/>', { beforeEnabled: ASKS }],
  ['<a/> ahead of <enabled/>', { beforeEnabled: tells(0) }],
  ['<a/> of an older session ahead of <enabled/>', { beforeEnabled: tells(17) }],
  ['both, twice', { beforeEnabled: (ASKS + tells(0)).repeat(2) }],
  ['a message before the bind result', { beforeBound: MESSAGE }],
  ['a message before <enabled/>', { beforeEnabled: MESSAGE }],
  ['a line break and an XML declaration behind <success/>', { behindSuccess: inPieces('\n') }],
  ['the same in pieces', { behindSuccess: inPieces('\r\n', ' ', '\t\n') }],
  ['the same behind our header', { behindSuccess: inPieces('', '\n') }],
  ['blanks around the JID', { jid: `\n  ${JID}\r\n\t` }],
  ['blanks around a mechanism', { offer: mechanisms('\n  PLAIN  ', ' X-OTHER') }],
];

describe('faults A10: XMPP', () => {
  const rig = useRig(CLIENT);

  it.each(SCRIPTS)('%s: ready, and both sides go on', async (_, script) => {
    const { broker, server, connected } = await rig.dialled();
    const seen: (string | null)[] = [];
    broker.subscribe('PCJ_NODERECEIVED', (node) => seen.push(node.getAttribute('id')));
    await letIn(server, script);
    await connected;
    await server.send(`<message from='bob@localhost/x' id='later'/>${ASKS}`);
    await server.expect(/<a [^>]*h='1'/);
    const said = JSON.stringify(script);
    expect(seen).toEqual(said.includes('early') ? ['early', 'later'] : ['later']);
    expect([broker.state, broker.jid?.toString()]).toEqual(['ready', JID]);
  });

  it.each([
    ['<r/>', ASKS],
    ['<a/> with an old count', tells(0)],
    ['both', tells(1) + ASKS],
    ['<resumed/> twice', ''],
  ])('%s ahead of <resumed/>: the session goes on', async (name, before) => {
    const { broker, server, peer } = await rig.ready({ reconnect: { resumeDelayMs: 1 } });
    for (const id of ['1', '2']) broker.output(`<message to='a@b' id='m${id}'/>`);
    await server.expect("id='m2'");
    const back = broker.events.once('PCJ_READY');
    server.reset();
    const next = await peer.accept();
    await welcomeBack(next);
    const resumed = `<resumed xmlns='${NS.SM}' previd='session-1' h='1'/>`;
    await next.send(before + resumed + (name === '<resumed/> twice' ? resumed : ''));
    expect(await back).toMatchObject({ resumed: true });
    await next.expect("id='m2'");
    await next.send(ASKS);
    await next.expect(/<a [^>]*h='0'/);
    expect(broker.state).toBe('ready');
  });

  it('what is unclear in a managed session ends the link, and is dialled again', async () => {
    const { broker, server, peer } = await rig.ready({ reconnect: { firstDelayMs: 1, resumeDelayMs: 1 } });
    const failed = broker.events.once('PCJ_SOCKETFAIL');
    await server.send(`<failed xmlns='${NS.SM}'/>`);
    expect(await failed).toMatchObject({ code: 'SM_UNEXPECTED', retryable: true });
    const back = broker.events.once('PCJ_READY');
    server.end();
    const next = await peer.accept();
    await authenticate(next);
    await greet(next, features(BIND), { id: 'auth-2' });
    const id = await iqId(next);
    await next.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await back;
  });
});

describe('faults A10: the router', () => {
  const rig = useRig(SERVICE);

  it('blanks around a mechanism, a line break and an XML declaration, a packet before the name is bound', async () => {
    const { broker, server, connected } = await rig.dialled();
    const seen = broker.events.once('PCJ_NODERECEIVED');
    await open(server, 'S1', mechanisms(' DIGEST-MD5\n'));
    await signIn(server);
    await server.send('\n<?xml version="1.0"?>');
    await open(server, 'S2');
    const { id } = await readBind(server);
    await server.send(route(routed()) + answer(id));
    await connected;
    expect((await seen).getChildText('body')).toBe('hi');
  });
});

describe('faults A10: a stanza before anybody has proved anything', () => {
  const DIALECTS: readonly (readonly [string, RigDialect<Said>])[] = [
    ['a client', { ...CLIENT, letIn: welcome }],
    ['jabber:iq:auth', LEGACY_CLIENT],
    ['a component', COMPONENT],
    ['the router', SERVICE],
  ];

  describe.each(DIALECTS)('%s', (_, dialect) => {
    const rig = useRig(dialect);

    it('is refused, with an error that is worth another attempt', async () => {
      const { broker, server, connected } = await rig.dialled();
      await server.expect(OPENING);
      const xmlns = broker.config.xmlns;
      await server.send(
        streamHeader({ xmlns, id: 'S1', from: broker.config.domain }) + `<message xmlns='jabber:client'/>`,
      );
      await expect(connected).rejects.toMatchObject({ code: 'STREAM_EARLY_STANZA', retryable: true });
    });
  });
});
