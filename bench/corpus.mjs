/**
 * The stanzas of the benchmarks and of the tests that compare parsers: mixed like the traffic of a busy server, and the
 * same for a seed on every machine. Chat, group chat, presence with capabilities, discovery results, publish-subscribe
 * events, archive results; some text outside ASCII, some CDATA, references as servers write them.
 */

/** A small generator of pseudo-random numbers in [0, 1). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const WORDS =
  'the of and to in is that for it was on are as with they at be this have from or one had by word but not what all were when your can said there use an each which she how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who now find long down day did get come made may part over new sound take only little work know place year live me back give most very after thing our just name good sentence man think say great where help through much before line right too mean old any same tell boy follow came want show also around form three small set put end does another well large must big even such because turn here why ask went men read need land different home us move try kind hand picture again change off play spell air away animal house point page letter mother answer found study still learn should urgent meeting tomorrow coffee deadline release server'.split(
    ' ',
  );
const FOREIGN = [
  'Grüße aus Köln, schöne Straße und Übermut',
  'Привет, как дела? Всё хорошо, спасибо',
  '日本語のメッセージをここに書きます',
  'ça va très bien, merci à tous les élèves',
  'مرحبا بالعالم وكل عام وأنتم بخير',
  'see you 😀 there 🎉 at the café ☕',
  '€ 12,50 – “quoted” … and more',
];
const NAMES =
  'alice bob carol dave erin frank grace heidi ivan judy mallory niaj olivia peggy rupert sybil trent victor walter wendy'.split(
    ' ',
  );
const HOSTS = ['example.org', 'jabber.example.net', 'chat.example.com', 'xmpp.example'];
const RESOURCES = ['phone', 'desktop.4f2a', 'gajim.X3K9', 'Conversations.aB3d', 'web-client-77123'];
const ROOMS = ['room', 'dev', 'support', 'random', 'operators'];
const FEATURES = [
  'http://jabber.org/protocol/disco#info',
  'http://jabber.org/protocol/disco#items',
  'http://jabber.org/protocol/muc',
  'http://jabber.org/protocol/chatstates',
  'http://jabber.org/protocol/caps',
  'urn:xmpp:ping',
  'urn:xmpp:time',
  'urn:xmpp:receipts',
  'urn:xmpp:carbons:2',
  'urn:xmpp:mam:2',
  'jabber:iq:version',
  'jabber:iq:last',
  'vcard-temp',
  'urn:xmpp:jingle:1',
];

/** Generates `count` stanzas as XML, without any xmlns for the stream's namespace. */
export function stanzas(count = 10_000, seed = 1) {
  const next = random(seed);
  const int = (n) => Math.floor(next() * n);
  const pick = (list) => list[int(list.length)];
  const hex = (n) => Array.from({ length: n }, () => int(16).toString(16)).join('');
  const bare = () => `${pick(NAMES)}@${pick(HOSTS)}`;
  const full = () => `${bare()}/${pick(RESOURCES)}`;
  const room = () => `${pick(ROOMS)}@muc.example.org`;
  const me = 'echo.example.org';
  const stamp = () => `2026-0${1 + int(9)}-1${int(10)}T1${int(10)}:${10 + int(50)}:${10 + int(50)}.${100 + int(900)}Z`;
  const uuid = () => `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`;
  const text = () => {
    const words = Array.from({ length: 3 + int(48) }, () => pick(WORDS));
    let out = words.join(' ');
    const kind = next();
    if (kind < 0.17) out += ` ${pick(FOREIGN)}`;
    else if (kind < 0.32)
      out += pick([' &amp; more', ' &lt;here&gt;', ' it&apos;s &quot;fine&quot;', ' 5 &gt; 3', '&#x20ac;']);
    else if (kind < 0.34) out += ` <![CDATA[if (a < b && c > d) { ${pick(WORDS)} }]]>`;
    else if (kind < 0.38) out += `\n${pick(WORDS)}\n`;
    return out;
  };
  const extras = (id) => {
    let out = '';
    if (next() < 0.45) out += `<origin-id xmlns='urn:xmpp:sid:0' id='${id}'/>`;
    if (next() < 0.6) out += `<active xmlns='http://jabber.org/protocol/chatstates'/>`;
    if (next() < 0.4) out += `<request xmlns='urn:xmpp:receipts'/>`;
    if (next() < 0.3) out += `<markable xmlns='urn:xmpp:chat-markers:0'/>`;
    if (next() < 0.7) out += `<stanza-id xmlns='urn:xmpp:sid:0' by='${bare()}' id='${uuid()}'/>`;
    if (next() < 0.12) out += `<delay xmlns='urn:xmpp:delay' from='example.org' stamp='${stamp()}'/>`;
    return out;
  };
  const chat = () => {
    const id = uuid();
    const thread = next() < 0.2 ? `<thread>${hex(16)}</thread>` : '';
    const lang = next() < 0.3 ? ` xml:lang='en'` : '';
    return `<message from='${full()}' to='${pick(NAMES)}@${me}' id='${id}' type='chat'${lang}><body>${text()}</body>${thread}${extras(id)}</message>`;
  };
  const groupchat = () => {
    const id = uuid();
    const html =
      next() < 0.15
        ? `<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><p style='font-weight:bold'>${text()}</p></body></html>`
        : '';
    return `<message from='${room()}/${pick(NAMES)}' to='${me}' id='${id}' type='groupchat'><body>${text()}</body>${html}${extras(id)}<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='${pick(['member', 'none', 'admin'])}' role='participant' jid='${full()}'/></x></message>`;
  };
  const presence = () => {
    const show = next() < 0.5 ? `<show>${pick(['away', 'chat', 'dnd', 'xa'])}</show>` : '';
    const status = next() < 0.4 ? `<status>${text()}</status>` : '';
    const muc =
      next() < 0.3
        ? `<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/><status code='110'/></x>`
        : '';
    return `<presence from='${next() < 0.3 ? `${room()}/${pick(NAMES)}` : full()}' to='${me}'>${show}${status}<priority>${int(50)}</priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example/caps' ver='${hex(27)}='/><x xmlns='vcard-temp:x:update'><photo>${hex(40)}</photo></x>${muc}</presence>`;
  };
  const disco = () => {
    const features = Array.from({ length: 4 + int(16) }, () => `<feature var='${pick(FEATURES)}'/>`).join('');
    return `<iq from='${full()}' to='${me}/disco' id='${pick(['a', 'b', 'c'])}${int(100)}' type='result'><query xmlns='http://jabber.org/protocol/disco#info' node='https://client.example/caps#${hex(27)}='><identity category='client' type='pc' name='${pick(WORDS)}'/>${features}</query></iq>`;
  };
  const request = () => {
    const query = pick([
      `<ping xmlns='urn:xmpp:ping'/>`,
      `<query xmlns='jabber:iq:version'/>`,
      `<query xmlns='http://jabber.org/protocol/disco#items' node='${pick(WORDS)}'/>`,
      `<vCard xmlns='vcard-temp'/>`,
    ]);
    return `<iq from='${full()}' to='${me}' id='${hex(8)}' type='${pick(['get', 'get', 'set'])}'>${query}</iq>`;
  };
  const event = () => {
    const id = hex(12);
    return `<message from='pubsub.example.org' to='${me}' id='${id}' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='${pick(['urn:xmpp:microblog:0', 'news', 'storage:bookmarks', 'http://jabber.org/protocol/tune'])}'><item id='${uuid()}' publisher='${bare()}'><entry xmlns='http://www.w3.org/2005/Atom'><title type='text'>${text()}</title><id>tag:example.org,2026:${hex(10)}</id><published>${stamp()}</published><link rel='alternate' type='text/html' href='https://example.org/${hex(6)}?a=1&amp;b=2'/></entry></item></items></event></message>`;
  };
  const archived = () => {
    const id = uuid();
    return `<message from='${bare()}' to='${me}'><result xmlns='urn:xmpp:mam:2' queryid='${hex(6)}' id='${uuid()}'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='${stamp()}'/><message xmlns='jabber:client' from='${full()}' to='${bare()}' id='${id}' type='chat'><body>${text()}</body>${extras(id)}</message></forwarded></result></message>`;
  };
  return Array.from({ length: count }, () => {
    const kind = next();
    if (kind < 0.35) return chat();
    if (kind < 0.45) return groupchat();
    if (kind < 0.68) return presence();
    if (kind < 0.78) return disco();
    if (kind < 0.84) return request();
    if (kind < 0.9) return event();
    return archived();
  });
}

export const HEADER = `<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='echo.example.org' id='3f1c'>`;
export const FOOTER = '</stream:stream>';
