import { describe, expect, it } from 'vitest';
import { xml } from 'xmpp-broker';
import { redacted } from '../../../src/stanza/redaction.js';
import { NS } from '../../../src/xml/namespaces.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';

const SECRET = 's3cr3t';
const form = (attributes: string) =>
  `<x xmlns='${NS.DATA_FORMS}' type='submit'><field var='FORM_TYPE'><value>shown</value></field><field ${attributes}><value>${SECRET}</value></field></x>`;
const stanza = (kind: string, inside: string) => `<${kind} xmlns='${NS.CLIENT}' to='a@b'>${inside}</${kind}>`;
const direct = `<x xmlns='jabber:x:conference' jid='shown' password='${SECRET}'/>`;
const route = (inside: string) => `<route xmlns='${NS.JABBERD2_COMPONENT}' from='shown'>${inside}</route>`;
const carbon = (inside: string) =>
  stanza(
    'message',
    `<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='${NS.FORWARD}'>${inside}</forwarded></received>`,
  );
const slot = (header: string) =>
  stanza(
    'iq',
    `<slot xmlns='${NS.HTTP_UPLOAD}'><put url='https://shown'><header name='${header}'>${SECRET}</header></put><get url='https://shown'/></slot>`,
  );
const owner = (inside: string) => stanza('iq', `<query xmlns='${NS.MUC_OWNER}'>${inside}</query>`);

describe('redacted', () => {
  it.each([
    ['what asks to be let into a room', stanza('presence', `<x xmlns='${NS.MUC}'><password>${SECRET}</password></x>`)],
    [
      'an invitation',
      stanza('message', `<x xmlns='${NS.MUC_USER}'><invite from='shown'/><password>${SECRET}</password></x>`),
    ],
    ['a direct invitation', stanza('message', `<x xmlns='jabber:x:conference' jid='shown' password='${SECRET}'/>`)],
    ['one behind a body', stanza('message', `<body>shown</body><x xmlns='jabber:x:conference' password='${SECRET}'/>`)],
    ['a room that is configured', owner(form("var='muc#roomconfig_roomsecret'"))],
    ['a room that is set up by a form with types', owner(form("var='any' type='text-private'"))],
    ['a room that is destroyed', owner(`<destroy jid='shown'><password>${SECRET}</password></destroy>`)],
    [
      'one that was destroyed',
      stanza('presence', `<x xmlns='${NS.MUC_USER}'><destroy jid='shown'><password>${SECRET}</password></destroy></x>`),
    ],
    [
      'an account that is made by an administrator',
      stanza(
        'iq',
        `<command xmlns='http://jabber.org/protocol/commands' node='shown'>${form("var='password'")}</command>`,
      ),
    ],
    [
      'its password, once more',
      stanza(
        'iq',
        `<command xmlns='http://jabber.org/protocol/commands' node='shown'>${form("var='password-verify'")}</command>`,
      ),
    ],
    [
      'a relay for calls',
      stanza('iq', `<services xmlns='urn:xmpp:extdisco:2'><service host='shown' password='${SECRET}'/></services>`),
    ],
    [
      'a registration',
      stanza('iq', `<query xmlns='${NS.IQ_REGISTER}'><username>shown</username><password>${SECRET}</password></query>`),
    ],
    ['a packet of a router with a direct invitation', route(stanza('message', direct))],
    [
      'a packet of a router with a registration',
      route(stanza('iq', `<query xmlns='${NS.IQ_REGISTER}'><password>${SECRET}</password></query>`)),
    ],
    [
      'a bookmark',
      stanza(
        'iq',
        `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='shown'><item><conference xmlns='urn:xmpp:bookmarks:1'><password>${SECRET}</password></conference></item></items></pubsub>`,
      ),
    ],
    [
      'bookmarks of old',
      stanza(
        'iq',
        `<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'><conference name='shown'><password>${SECRET}</password></conference></storage></query>`,
      ),
    ],
    ['a slot for an upload', slot('Authorization')],
    ['one with the header in small letters', slot('authorization')],
    ['one with a cookie', slot(' COOKIE ')],
    ['a packet of a router with such a slot', route(slot('Authorization'))],
    ['a carbon of a direct invitation', carbon(stanza('message', direct))],
    ['a carbon of a carbon of one', carbon(carbon(stanza('message', direct)))],
    ['a registration by a form', stanza('iq', `<query xmlns='${NS.IQ_REGISTER}'>${form("var='password'")}</query>`)],
  ])('of %s shows all but the password', (_, text) => {
    const element = parse(text);
    const shown = redacted(element).toString();
    expect(shown).not.toContain(SECRET);
    expect(shown).toContain('[redacted]');
    expect(shown.includes('shown')).toBe(text.includes('shown'));
    expect(element.toString()).toContain(SECRET);
  });

  it.each([
    stanza('message', '<body>password</body>'),
    stanza('message', `<x xmlns='${NS.MUC_USER}'><invite/></x>`),
    stanza('presence', `<x xmlns='${NS.MUC}'/>`),
    owner(form("var='muc#roomconfig_roomname'")),
    slot('Expires'),
    // What only looks like a field with a password.
    stanza('message', `<query xmlns='${NS.IQ_REGISTER}'><username>a</username></query>`),
    `<log xmlns='urn:example'><query xmlns='${NS.IQ_AUTH}'><username>a</username></query></log>`,
    stanza('iq', `<conference xmlns='urn:xmpp:bookmarks:1' name='Cookie' jid='cookie@muc.example'/>`),
    `<slot xmlns='${NS.HTTP_UPLOAD}'><header>no name</header></slot>`,
    `<x xmlns='${NS.MUC_OWNER}'><field xmlns='${NS.DATA_FORMS}'><value>no name</value></field></x>`,
  ])('of %s is the element itself', (text) => {
    const element = parse(text);
    expect(redacted(element)).toBe(element);
  });

  it('of a stanza that was not sent yet, without a namespace, shows the rest, too', () => {
    const join = xml(
      'presence',
      { to: 'a@b' },
      xml('x', { xmlns: NS.MUC }, xml('password', {}, SECRET)),
      xml('show', {}, 'away'),
    );
    expect(redacted(join).toString()).toContain('<password>[redacted]</password></x><show>away</show>');
  });
});
