// Errors of others, in every shape that was seen, and as the answer to something else.
import { describe, expect, test } from 'vitest';
import { JID } from '../../../src/jid/jid.js';
import { StanzaError } from '../../../src/stanza/stanza-error.js';
import { redacted } from '../../../src/stanza/redaction.js';
import { errorReply, reply } from '../../../src/stanza/replies.js';
import { trustedPart } from '../../../src/stanza/trust.js';
import { serialize } from '../../../src/xml/serializer.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';

const NS = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'";
const error = (inside: string, attributes = '') =>
  new StanzaError(parse(`<iq xmlns='jabber:client' type='error' id='1'><error${attributes}>${inside}</error></iq>`));
const request = parse("<iq xmlns='jabber:client' type='get' id='q' from='a@b' to='c@d'><x xmlns='x'/></iq>");

describe('a stanza error', () => {
  test.each<[string, StanzaError, object]>([
    [
      'of nothing',
      new StanzaError(parse("<iq xmlns='jabber:client' type='error'/>")),
      { condition: 'undefined-condition', type: 'cancel' },
    ],
    ['of an empty element', error(''), { condition: 'undefined-condition', type: 'cancel', retryable: false }],
    ['of an old number', error('Not found', " code='404'"), { condition: 'item-not-found', text: 'Not found' }],
    ['of a number that nobody knows', error('', " code='999'"), { condition: 'undefined-condition' }],
    [
      'of a condition that nobody knows',
      error(`<broken ${NS}/>`, " type='wait'"),
      { condition: 'undefined-condition', retryable: true },
    ],
    ['of a type that nobody knows', error(`<gone ${NS}/>`, " type='panic'"), { condition: 'gone', type: 'cancel' }],
    ['with words', error(`<gone ${NS}/><text ${NS} xml:lang='de'>weg</text>`), { text: 'weg', lang: 'de' }],
    ['with words of no language', error(`<gone ${NS}/><text ${NS}>gone</text>`), { text: 'gone' }],
    [
      'with a condition of its own',
      error(`<gone ${NS}/><x xmlns='urn:x'/>`),
      { appCondition: { ns: 'urn:x', name: 'x' } },
    ],
    ['with a condition of no namespace', error(`<gone ${NS}/><x xmlns=''/>`), { appCondition: { ns: '', name: 'x' } }],
  ])('%s', (_, made, facts) => {
    expect(made).toMatchObject({ code: 'STANZA_ERROR', ...facts });
    if (!('lang' in facts)) expect(made).not.toHaveProperty('lang');
    if (!('appCondition' in facts)) expect(made).not.toHaveProperty('appCondition');
  });

  test.each<[string, StanzaError, string]>([
    [
      'of nothing',
      new StanzaError(parse("<iq xmlns='jabber:client' type='error'/>")),
      `<error type='cancel'><undefined-condition ${NS}/></error>`,
    ],
    [
      'of words',
      error(`<gone ${NS}/><text ${NS} xml:lang='de'>weg</text>`, " type='modify'"),
      `<error type='modify'><gone ${NS}/><text ${NS} xml:lang='de'>weg</text></error>`,
    ],
    [
      'of a condition of its own',
      error(`<conflict ${NS}/><x xmlns='urn:x'/>`),
      `<error type='cancel'><conflict ${NS}/><x xmlns='urn:x'/></error>`,
    ],
    [
      'of a condition that nobody knows',
      error(`<broken ${NS}/>`),
      `<error type='cancel'><undefined-condition ${NS}/></error>`,
    ],
  ])('%s answers something else', (_, made, written) => {
    expect(serialize(made.replyTo(request), { defaultNamespace: 'jabber:client' })).toBe(
      `<iq type='error' id='q' from='c@d' to='a@b'>${written}</iq>`,
    );
  });
});

describe('what is said to a room', () => {
  test.each([
    ["from='room@muc/nick'", 'room@muc'],
    ["from='room@muc'", 'room@muc'],
    ['', null],
  ])('goes to the room: %s', (from, to) => {
    const said = parse(`<message xmlns='jabber:client' type='groupchat' ${from}><body>x</body></message>`);
    expect(reply(said).getAttribute('to')).toBe(to);
  });

  test('and a stanza of no namespace has an answer of none', () => {
    expect(serialize(reply(parse("<iq xmlns='' type='get' id='1'><x/></iq>")))).toMatch(
      /^<iq(?: xmlns='')? type='result' id='1'\/>$/,
    );
    expect(errorReply(parse("<message xmlns='' id='1'/>"), 'gone').namespaceURI).toBeNull();
  });
});

test.each([
  ['a field without a name', '<field><value>open</value></field>', true],
  ['a private field', "<field type='text-private'><value>hidden</value></field>", false],
  ['a field with a name that says so', "<field var='password'><value>hidden</value></field>", false],
])('%s of a form is shown: %s', (_, field, isShown) => {
  const iq = parse(
    `<iq xmlns='jabber:client' type='set' id='1'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>${field}</x></query></iq>`,
  );
  const text = serialize(redacted(iq));
  expect(text.includes('open')).toBe(isShown);
  expect(text).not.toContain('>hidden<');
});

test('what is to be secret and has nothing in it stays as it is', () => {
  const iq = parse("<iq xmlns='jabber:client' type='get' id='1'/>");
  expect(serialize(redacted(iq, true))).toBe(serialize(iq));
});

test('a carbon in what is no message is none', () => {
  const carbon =
    "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'/></forwarded></received>";
  const presence = parse(`<presence xmlns='jabber:client' from='a@b'>${carbon}</presence>`);
  expect(trustedPart(JID.parse('a@b'), presence, 'carbons', undefined)).toBeNull();
});
