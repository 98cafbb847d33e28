import { client, xml } from '@xmpp/client';
import { component } from '@xmpp/component';
import { createInterface } from 'node:readline';

const { PEER_HOST, PEER_PORT, PEER_TLS, PEER_JID, PEER_PASSWORD, PEER_KIND } = process.env;
const say = (...words) => console.log(words.join('\t'));

const [bare, resource] = PEER_JID.split('/');
const [username, domain] = bare.split('@');
const scheme = { starttls: 'xmpp', none: 'xmpp', direct: 'xmpps', websocket: 'wss' }[PEER_TLS];
const service = `${scheme}://${PEER_HOST}:${PEER_PORT}`;
const entity =
  PEER_KIND === 'component'
    ? component({ service, domain: bare, password: PEER_PASSWORD, timeout: 20_000 })
    : client({ service, domain, username, password: PEER_PASSWORD, resource, timeout: 20_000 });

// It gives up at once what a server refuses; a lost link it takes up again.
let wasOnline = false;
const refused = (error) => {
  if (wasOnline) return;
  say('failed', error.condition ?? error.message);
  process.exit(0);
};
entity.on('error', refused);
entity.on('online', async (jid) => {
  wasOnline = true;
  if (PEER_KIND === 'client') await entity.send(xml('presence'));
  say('online', jid);
});
entity.streamManagement?.on('resumed', () => say('resumed'));

const bodies = [];
const joining = new Set();
entity.on('stanza', (stanza) => {
  const { from, type } = stanza.attrs;
  if (stanza.is('presence')) {
    say('presence', from, type ?? 'available');
    if (joining.delete(from)) say('joined', from.split('/')[0]);
  }
  const found = stanza.getChild('result', 'urn:xmpp:mam:2')?.getChild('forwarded', 'urn:xmpp:forward:0');
  if (found !== undefined) bodies.push(found.getChild('message').getChildText('body'));
  const body = stanza.getChildText('body');
  if (stanza.is('message') && body) say(type === 'groupchat' ? 'groupchat' : 'message', from, body);
});

const from = PEER_KIND === 'component' ? bare : undefined;
const ask = (to, payload, type = 'get') =>
  from === undefined
    ? entity.iqCaller.request(xml('iq', { type, to }, payload), 20_000)
    : new Promise((resolve) => {
        entity.on('stanza', (stanza) => {
          if (stanza.is('iq') && stanza.attrs.id === 'asked') resolve(stanza);
        });
        void entity.send(xml('iq', { type, to, from, id: 'asked' }, payload));
      });

const orders = {
  message: (to, body) => entity.send(xml('message', { to, from, type: 'chat' }, xml('body', {}, body))),
  groupchat: (to, body) => entity.send(xml('message', { to, type: 'groupchat' }, xml('body', {}, body))),
  async ping(to) {
    const { attrs } = await ask(to, xml('ping', { xmlns: 'urn:xmpp:ping' }));
    say(attrs.type === 'result' ? 'pong' : 'failed');
  },
  async roster() {
    const answer = await ask(undefined, xml('query', { xmlns: 'jabber:iq:roster' }));
    say('roster', ...answer.getChild('query').children.map(({ attrs }) => attrs.jid));
  },
  async join(room, nick) {
    joining.add(`${room}/${nick}`);
    const without = xml('history', { maxstanzas: '0' });
    const wish = xml('x', { xmlns: 'http://jabber.org/protocol/muc' }, without);
    await entity.send(xml('presence', { to: `${room}/${nick}` }, wish));
  },
  async archive() {
    await ask(undefined, xml('query', { xmlns: 'urn:xmpp:mam:2' }), 'set');
    say('archive', ...bodies);
  },
};
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [order, ...words] = line.split('\t');
    Promise.resolve(orders[order](...words)).catch((error) => say('failed', order, error.message));
  })
  .on('close', () => process.exit(0));

entity.start().catch(refused);
