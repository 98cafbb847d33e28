import { describe, it } from 'vitest';
import { NS, XMPP } from 'xmpp-broker';
import { greet, JID } from './support/client.js';
import { BIND, type Conversation, features, mechanisms, OPENING, SM } from './support/index.js';
import { liveAnyhow } from './support/world.js';

const BROKER = {
  connectionType: XMPP.with({ mechanisms: ['ANONYMOUS'] }),
  domain: 'localhost',
  tls: { policy: 'disabled' },
} as const;

/** What the server does with one connection. */
const MANNERS = [
  ...(['good', 'good', 'good', 'forgets', 'keeps nothing', 'deaf', 'refuses', 'binds nobody'] as const),
  ...(['silent', 'closes', 'resets', 'resets late', 'breaks', 'acknowledges too much'] as const),
];
type Manner = (typeof MANNERS)[number];

async function serve(server: Conversation, manner: Manner): Promise<void> {
  if (manner === 'resets') {
    server.reset();
    return;
  }
  if (manner === 'silent') {
    await server.expect(OPENING);
    return server.ended;
  }
  await greet(server, features(mechanisms('ANONYMOUS')));
  if (manner === 'closes') {
    server.end();
    return;
  }
  await server.expect(/<auth [^>]*?(\/>|>[^<]*<\/auth>)/);
  if (manner === 'refuses') {
    await server.send(`<failure xmlns='${NS.SASL}'><not-authorized/></failure>`);
    return server.ended;
  }
  await server.send(`<success xmlns='${NS.SASL}'/>`);
  await greet(server, features(BIND, SM), { id: 'b' });
  if (manner === 'resets late') {
    server.reset();
    return;
  }
  await letIn(server, manner);
  if (manner === 'breaks') await server.send('<a></b>');
  if (manner === 'acknowledges too much') await server.send(`<a xmlns='${NS.SM}' h='1000'/>`);
  await server.expect('</stream:stream>');
  if (manner === 'deaf') return server.ended;
  await server.send('</stream:stream>');
  server.end();
}

/** Resumes the session if that is asked for, or binds and enables stream management. Nothing is ever acknowledged. */
async function letIn(server: Conversation, manner: Manner): Promise<void> {
  const [asked, first = ''] = await server.match(/<resume [^>]*\/>|<iq[^>]* id='([^']+)'[^>]*>.*?<\/iq>/);
  if (asked.startsWith('<resume') && manner !== 'forgets') {
    await server.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>`);
    return;
  }
  let id = first;
  if (asked.startsWith('<resume')) {
    await server.send(`<failed xmlns='${NS.SM}'><item-not-found xmlns='${NS.STANZAS}'/></failed>`);
    [, id = ''] = await server.match(/<iq[^>]* id='([^']+)'[^>]*>.*?<\/iq>/);
  }
  if (manner === 'binds nobody') {
    await server.send(
      `<iq type='error' id='${id}'><error type='cancel'><not-allowed xmlns='${NS.STANZAS}'/></error></iq>`,
    );
    return server.ended;
  }
  await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
  await server.expect(/<enable [^>]*\/>/);
  const resumable = manner === 'keeps nothing' ? '' : " resume='true' id='session-1' max='300'";
  await server.send(`<enabled xmlns='${NS.SM}'${resumable}/>`);
}

const SERVER = { broker: BROKER, manners: MANNERS, serve };

describe('G10 S-CONN-8 S-CONN-13 S-SM: whatever happens to a managed session, in whatever order', () => {
  it(
    'one socket at a time, one outcome for each attempt, every promise settles, nothing is left',
    { timeout: 120_000 },
    () => liveAnyhow(SERVER),
  );
});
