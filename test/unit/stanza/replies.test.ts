import { describe, expect, test } from 'vitest';
import { xml } from '../../../src/xml/builder.js';
import { NS } from '../../../src/xml/namespaces.js';
import { parseInScope } from '../../../src/xml/tokenizer/parse.js';
import { errorReply, reply } from '../../../src/stanza/replies.js';
import { serialize } from '../../../src/xml/serializer.js';

const code = (wanted: string) => expect.objectContaining({ name: 'BrokerError', code: wanted }) as Error;
const stanza = (text: string) => parseInScope(text, NS.COMPONENT_ACCEPT);
const written = (element: Parameters<typeof serialize>[0]) =>
  serialize(element, { defaultNamespace: NS.COMPONENT_ACCEPT });
const get = () => stanza(`<iq type='get' id='1' from='a@b/c' to='d' xml:lang='de'><query xmlns='u'/></iq>`);

describe('reply()', () => {
  test('E5: the answer to what was said in a room goes to the room', () => {
    const said = stanza(
      "<message type='groupchat' id='1' from='room@muc.example.org/nick' to='me@example.org/x'><body>hi</body></message>",
    );
    const answer = reply(said, xml('body', {}, 'hello'));
    expect(answer.getAttribute('to')).toBe('room@muc.example.org');
    expect(answer.getAttribute('type')).toBe('groupchat');
    const whispered = stanza("<message type='chat' from='room@muc.example.org/nick' to='me@example.org/x'/>");
    expect(reply(whispered).getAttribute('to')).toBe('room@muc.example.org/nick');
    const error = errorReply(said, 'not-acceptable');
    expect(error.getAttribute('to')).toBe('room@muc.example.org/nick');
  });

  test('an iq becomes a result', () => {
    const asked = get();
    const before = serialize(asked);
    expect(written(reply(asked, xml('query', { xmlns: 'u' }, xml('item'))))).toBe(
      `<iq type='result' id='1' from='d' to='a@b/c'><query xmlns='u'><item/></query></iq>`,
    );
    expect(written(reply(asked))).toBe(`<iq type='result' id='1' from='d' to='a@b/c'/>`);
    expect(serialize(asked)).toBe(before);
  });
  test('a message keeps its type, a presence has none', () => {
    expect(written(reply(stanza(`<message from='a' to='b' type='chat' id='x'/>`), xml('body', {}, 'hi')))).toBe(
      `<message type='chat' id='x' from='b' to='a'><body>hi</body></message>`,
    );
    expect(written(reply(stanza(`<presence from='a' type='probe'/>`)))).toBe(`<presence to='a'/>`);
  });
  test('it is in the namespace of the stanza, however that was written', () => {
    expect(reply(stanza(`<c:iq xmlns:c='jabber:client' type='get' id='1'/>`)).namespaceURI).toBe(NS.CLIENT);
    expect(reply(get(), xml('error')).firstElementChild!.namespaceURI).toBe(NS.COMPONENT_ACCEPT);
    expect(written(reply(xml('iq', { type: 'get', id: '1' })))).toBe(`<iq type='result' id='1'/>`);
  });
  test('a child of the stanza may be put into the reply and stays where it is', () => {
    const asked = get();
    reply(asked, asked.firstElementChild);
    expect(asked.children).toHaveLength(1);
  });
  test('S-STZ-2: errors and results have no reply', () => {
    for (const text of [
      `<iq type='result' id='1'/>`,
      `<iq type='error' id='1'/>`,
      `<iq id='1'/>`,
      `<message type='error'/>`,
      `<presence type='error'/>`,
      `<a/>`,
      `<iqs type='get'/>`,
    ]) {
      expect(() => reply(stanza(text)), text).toThrow(code('USAGE_REPLY'));
    }
    for (const wrong of [null, undefined, 'iq', {}]) expect(() => reply(wrong as never)).toThrow(code('USAGE_REPLY'));
  });
  test('A-STZ-6: values of the peer stay values', () => {
    const evil = `x"/><message to='v@d'><body>p</body></message><iq a="'`;
    const asked = xml('iq', { type: 'get', id: evil, from: evil, to: `d'` });
    for (const answer of [reply(asked), errorReply(asked, 'bad-request', { text: evil, by: evil })]) {
      const again = stanza(written(answer));
      expect(again.getAttribute('id')).toBe(evil);
      expect(again.getAttribute('to')).toBe(evil);
      expect(again.getElementsByTagName('message')).toHaveLength(0);
    }
  });
});

describe('errorReply()', () => {
  test('the condition has its own type', () => {
    expect(written(errorReply(get(), 'service-unavailable'))).toBe(
      `<iq type='error' id='1' from='d' to='a@b/c'><error type='cancel'><service-unavailable xmlns='${NS.STANZAS}'/></error></iq>`,
    );
    const types = {
      'bad-request': 'modify',
      forbidden: 'auth',
      'resource-constraint': 'wait',
      conflict: 'cancel',
      'unexpected-request': 'wait',
    } as const;
    for (const [condition, type] of Object.entries(types)) {
      expect(
        errorReply(get(), condition as keyof typeof types)
          .getChild('error')!
          .getAttribute('type'),
      ).toBe(type);
    }
  });
  test('everything it can say', () => {
    const appCondition = xml('too-odd', { xmlns: 'urn:app' });
    const answer = errorReply(get(), 'gone', {
      type: 'modify',
      text: 'moved & gone',
      lang: 'en',
      by: 'd',
      address: 'xmpp:new@b',
      appCondition,
    });
    expect(written(answer.getChild('error')!)).toBe(
      `<error type='modify' by='d'><gone xmlns='${NS.STANZAS}'>xmpp:new@b</gone><text xmlns='${NS.STANZAS}' xml:lang='en'>moved &amp; gone</text><too-odd xmlns='urn:app'/></error>`,
    );
    expect(appCondition.parentElement).toBeNull();
  });
  test('messages and presence too', () => {
    expect(errorReply(stanza(`<message from='a'/>`), 'not-allowed').getAttribute('to')).toBe('a');
    expect(errorReply(stanza(`<presence type='subscribe' from='a'/>`), 'not-allowed').getAttribute('type')).toBe(
      'error',
    );
    expect(errorReply(stanza(`<iq type='odd' id='1'/>`), 'bad-request').getAttribute('id')).toBe('1');
  });
  test('S-STZ-2, A-STZ-5: an error or result is never answered', () => {
    for (const text of [
      `<iq type='result' id='1'/>`,
      `<iq type='error' id='1'/>`,
      `<message type='error'/>`,
      `<presence type='error'/>`,
      `<a/>`,
    ]) {
      expect(() => errorReply(stanza(text), 'bad-request'), text).toThrow(code('USAGE_REPLY'));
    }
  });
  test('unknown conditions, types and combinations are refused', () => {
    for (const condition of ['nonsense', '', 'toString', '__proto__', undefined, 5]) {
      expect(() => errorReply(get(), condition as never)).toThrow(code('USAGE_CONDITION'));
    }
    expect(() => errorReply(get(), 'conflict', { type: 'fatal' as never })).toThrow(code('USAGE_CONDITION'));
    expect(() => errorReply(get(), 'conflict', { address: 'xmpp:a@b' })).toThrow(code('USAGE_CONDITION'));
    expect(() => errorReply(get(), 'conflict', { text: '\0' })).toThrow(code('XML_UNSERIALIZABLE'));
  });
});
