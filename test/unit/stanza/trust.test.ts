import { describe, expect, it } from 'vitest';
import { JID, NS, parse, xml } from 'xmpp-broker';
import { trustedPart } from '../../../src/stanza/trust.js';

const OWN = JID.parse('straße@example.org');

/** Senders, and whether each may speak for the account. */
const SENDERS: readonly (readonly [from: string | null, ours: boolean])[] = [
  [null, true],
  ['straße@example.org', true],
  ['Straße@Example.Org', true],
  ['straße@example.org/desk', false],
  ['straße@example.org/', false],
  ['strasse@example.org', false],
  ['example.org', false],
  ['romeo@example.org', false],
  ['straße@example.org@example.net', false],
  ['straße@example.net', false],
  [' straße@example.org', false],
  ['', false],
  ['@', false],
];

const attribute = (from: string | null) => (from === null ? '' : ` from='${from}'`);
const copied =
  "<forwarded xmlns='urn:xmpp:forward:0'><message from='a@b' to='c@d'><body>x</body></message></forwarded>";
const carbon = (name: string) => `<${name} xmlns='urn:xmpp:carbons:2'>${copied}</${name}>`;
const result = (id: string) => `<result xmlns='urn:xmpp:mam:2' queryid='${id}' id='1'>${copied}</result>`;
const event = (node: string) =>
  `<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='${node}'><item id='1'/></items></event>`;
const PUSH = `<query xmlns='jabber:iq:roster'><item jid='romeo@example.org' subscription='both'/></query>`;

const trusted = (text: string, kind: string, options?: object) => trustedPart(OWN, parse(text), kind, options);

describe('who may speak for the account', () => {
  it.each(SENDERS)('S-STZ-7 S-STZ-8: from %j: %s', (from, ours) => {
    const sender = attribute(from);
    const expected = (name: string) => (ours ? name : undefined);
    const found = (text: string, kind: string, options?: object) => trusted(text, kind, options)?.localName;
    expect(found(`<presence${sender}/>`, 'account')).toBe(expected('presence'));
    expect(found(`<iq type='set' id='1'${sender}>${PUSH}</iq>`, 'roster')).toBe(expected('query'));
    expect(found(`<message${sender}>${carbon('received')}</message>`, 'carbons')).toBe(expected('received'));
    expect(found(`<message${sender}>${carbon('sent')}</message>`, 'carbons')).toBe(expected('sent'));
    expect(found(`<message${sender}>${result('q1')}</message>`, 'mam', { queryid: 'q1' })).toBe(expected('result'));
    expect(found(`<message${sender}>${event('n')}</message>`, 'pep')).toBe(expected('event'));
  });

  it('nobody, as long as there is no account', () => {
    for (const text of ['<message/>', "<message from='comp.localhost'/>"]) {
      expect(trustedPart(null, parse(text), 'account', undefined)).toBeNull();
    }
    const fromRoom = parse(`<message from='room@chat.example.org'>${result('q1')}</message>`);
    const options = { queryid: 'q1', from: 'room@chat.example.org' };
    expect(trustedPart(null, fromRoom, 'mam', options)?.localName).toBe('result');
    const fromNobody = parse(`<message>${result('q1')}</message>`);
    expect(trustedPart(null, fromNobody, 'mam', options)).toBeNull();
  });
});

describe('what is found', () => {
  it('S-STZ-7: a roster push is a set, not a result and not a get', () => {
    for (const type of ['result', 'get', 'error']) {
      expect(trusted(`<iq type='${type}' id='1'>${PUSH}</iq>`, 'roster')).toBeNull();
    }
    expect(trusted(`<message type='set'>${PUSH}</message>`, 'roster')).toBeNull();
    expect(trusted("<iq type='set' id='1'><query xmlns='jabber:iq:private'/></iq>", 'roster')).toBeNull();
  });

  it('S-STZ-8: what is inside something else is not found', () => {
    const inside = `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>${carbon('received')}${result('q1')}${event('n')}</message></forwarded>`;
    for (const kind of ['carbons', 'pep']) expect(trusted(`<message>${inside}</message>`, kind)).toBeNull();
    expect(trusted(`<message>${inside}</message>`, 'mam', { queryid: 'q1' })).toBeNull();
    expect(trusted(`<message><received xmlns='urn:example:n'/></message>`, 'carbons')).toBeNull();
  });

  it("S-STZ-8: a stanza inside another is nobody's, whatever its addresses", () => {
    const outer = parse("<message from='mallory@example.org'><message from='straße@example.org'/><message/></message>");
    for (const inner of outer.children) expect(trustedPart(OWN, inner, 'account', undefined)).toBeNull();
  });

  it('S-STZ-8: an error repeats what somebody sent, and is not believed', () => {
    for (const kind of ['account', 'carbons', 'pep']) {
      expect(trusted(`<message type='error'>${carbon('sent')}${event('n')}</message>`, kind)).toBeNull();
    }
  });

  it.each([
    ['q1', 'q1', true],
    ['q1', 'q2', false],
    ['q1', 'Q1', false],
  ])('S-STZ-8: an archive result of query %s, awaited is %s', (given, awaited, found) => {
    const part = trusted(`<message>${result(given)}</message>`, 'mam', { queryid: awaited });
    expect(part !== null).toBe(found);
  });

  it('S-STZ-8: an archive result of no query', () => {
    expect(trusted("<message><result xmlns='urn:xmpp:mam:2' id='1'/></message>", 'mam', { queryid: 'q1' })).toBeNull();
  });

  it('S-STZ-8: an archive that is somebody else', () => {
    const from = 'room@chat.example.org';
    const message = (sender: string) => `<message from='${sender}'>${result('q1')}</message>`;
    const options = { queryid: 'q1', from };
    expect(trusted(message(from), 'mam', options)).not.toBeNull();
    expect(trusted(message(from), 'mam', { ...options, from: JID.parse(from) })).not.toBeNull();
    expect(trusted(message(`${from}/nick`), 'mam', options)).toBeNull();
    expect(trusted(message('straße@example.org'), 'mam', options)).toBeNull();
    expect(trusted(`<message>${result('q1')}</message>`, 'mam', options)).toBeNull();
    expect(trusted(message(from), 'mam', { queryid: 'q1' })).toBeNull();
    expect(trusted(`<message>${result('q1')}</message>`, 'mam', { queryid: 'q1', from: OWN })).not.toBeNull();
  });

  it('S-STZ-8: an event of a contact, and of a node', () => {
    const message = (sender: string, node: string) => `<message from='${sender}'>${event(node)}</message>`;
    const options = { from: 'romeo@example.org', node: 'urn:xmpp:avatar:metadata' };
    expect(trusted(message(options.from, options.node), 'pep', options)).not.toBeNull();
    expect(trusted(message(options.from, options.node), 'pep', { from: options.from })).not.toBeNull();
    expect(trusted(message(options.from, 'urn:xmpp:bookmarks:1'), 'pep', options)).toBeNull();
    expect(trusted(message(`${options.from}/balcony`, options.node), 'pep', options)).toBeNull();
    expect(trusted(message('mallory@example.org', options.node), 'pep', options)).toBeNull();
    const empty = "<message><event xmlns='http://jabber.org/protocol/pubsub#event'/></message>";
    expect(trusted(empty, 'pep', { node: 'n' })).toBeNull();
  });
});

describe('mistakes in the call', () => {
  const stanza = xml('message', {}, xml('x', { xmlns: NS.MAM }));
  it.each([
    ['an unknown kind', 'rooster', undefined, /trusted\(\): "rooster" is no kind of trust; did you mean roster\?/],
    [
      'an inherited name',
      'toString',
      undefined,
      /"toString" is no kind of trust; there are account, roster, carbons, mam, pep/,
    ],
    ['no queryid', 'mam', undefined, /queryid is missing/],
    ['a queryid that is empty', 'mam', { queryid: '' }, /trusted\('mam'\): queryid must be a string that is not empty/],
    ['an option of another kind', 'roster', { from: 'a@b' }, /trusted\('roster'\): from is no option; there are none$/],
    ['an unknown option', 'pep', { form: 'a@b' }, /trusted\('pep'\): form is no option; did you mean from\?/],
  ])('%s', (_, kind, options, message) => {
    expect(() => trustedPart(OWN, stanza, kind, options)).toThrow(message);
  });
});
