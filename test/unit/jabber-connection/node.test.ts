import { describe, expect, it } from 'vitest';
import { JabberNode, NodeFactory, NS, parse, xml } from 'xmpp-broker';

const factory = new NodeFactory();
const node = (source: string) => factory.newNodeFromStr(source);

describe('NodeFactory', () => {
  it('makes nodes with and without a namespace', () => {
    expect(factory.newNode('message').toStr()).toBe('<message/>');
    expect(factory.newNode('query', 'jabber:iq:roster').toStr()).toBe("<query xmlns='jabber:iq:roster'/>");
  });

  it('reads a node from a string, without being told that it may', () => {
    expect(node("<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>").getTag('ping')?.element.namespaceURI).toBe(
      'urn:xmpp:ping',
    );
  });

  it('[X] works after an error: a bad string leaves nothing behind', () => {
    expect(() => node('<a><b></a>')).toThrow(expect.objectContaining({ code: 'XML_NOT_WELL_FORMED' }));
    expect(node('<a/>').name()).toBe('a');
  });

  it.each([
    ['two', '<a/><b/>'],
    ['none', ''],
    ['text', 'x'],
  ])('%s instead of one node is refused', (_, source) => {
    expect(() => node(source)).toThrow();
  });

  it('refuses names that are none', () => {
    expect(() => factory.newNode('a b')).toThrow(expect.objectContaining({ code: 'XML_BAD_NAME' }));
    expect(() => factory.newNode('')).toThrow(expect.objectContaining({ code: 'XML_BAD_NAME' }));
  });
});

describe('JabberNode', () => {
  it('is one object for one element', () => {
    const element = xml('message', {}, xml('body', {}, 'x'));
    const message = JabberNode.of(element);
    expect(JabberNode.of(element)).toBe(message);
    expect(message.getTag('body')).toBe(message.getTag('body'));
    expect(message.getTag('body')?.parent()).toBe(message);
    expect(message.parent()).toBeUndefined();
    expect(() => JabberNode.of('x' as never)).toThrow(expect.objectContaining({ code: 'USAGE_ELEMENT' }));
  });

  it('attr: gets, sets, and removes with the empty string', () => {
    const message = factory.newNode('message');
    expect(message.attr('to')).toBeUndefined();
    expect(message.attr('to', 'a@b')).toBe('a@b');
    expect(message.attr('to')).toBe('a@b');
    expect(message.attr('n', 0)).toBe('0');
    message.attr('to', '');
    expect(message.toStr()).toBe("<message n='0'/>");
  });

  it('[X] attributes are escaped', () => {
    const message = factory.newNode('message');
    message.attr('subject', `<&'">`);
    expect(parse(message.toStr()).getAttribute('subject')).toBe(`<&'">`);
  });

  it('data: gets and sets text; nothing has to be escaped', () => {
    const body = factory.newNode('body');
    expect(body.data()).toBe('');
    expect(body.data(`<&'">`)).toBe(`<&'">`);
    expect(body.toStr()).toBe(`<body>&lt;&amp;'"&gt;</body>`);
    expect(body.data()).toBe(`<&'">`);
  });

  it.each(['0', '', 0])('[X] %j is a text like any other', (text) => {
    const body = node('<body>before</body>');
    body.data(text);
    expect(body.data()).toBe(String(text));
    expect(node(body.toStr()).data()).toBe(String(text));
  });

  it('[X] text that looks escaped twice is decoded once', () => {
    expect(node('<body>&amp;lt;</body>').data()).toBe('&lt;');
    const body = factory.newNode('body');
    body.data('&lt;');
    expect(node(body.toStr()).data()).toBe('&lt;');
  });

  it('data is the text of the node itself', () => {
    expect(node('<p>a<b>c</b>d</p>').data()).toBe('ad');
  });

  it('[X] mixed content keeps its order; setting the text puts it in front', () => {
    const mixed = node('<p>a<b>c</b>d</p>');
    expect(mixed.toStr()).toBe('<p>a<b>c</b>d</p>');
    mixed.data('x');
    expect(mixed.toStr()).toBe('<p>x<b>c</b></p>');
  });

  it('rawdata: gets the text with its escapes, and sets it from XML', () => {
    const body = node('<body>a &amp; b</body>');
    expect(body.rawdata()).toBe('a &amp; b');
    body.rawdata('c &lt; <i>d</i>');
    expect(body.data()).toBe('c < ');
    expect(body.getTag('i')?.data()).toBe('d');
    expect(body.toStr()).toBe('<body>c &lt; <i>d</i></body>');
  });

  it.each(['<b>', '</body>', 'a & b', '&unknown;', '</x><x>'])(
    'rawdata(%j) is refused, and nothing is changed',
    (raw) => {
      const body = node('<body>before</body>');
      expect(() => body.rawdata(raw)).toThrow();
      expect(body.toStr()).toBe('<body>before</body>');
    },
  );

  it('insertTag makes a child, which chains', () => {
    const iq = factory.newNode('iq');
    iq.attr('type', 'set');
    iq.insertTag('query', 'jabber:iq:roster').insertTag('item').attr('jid', 'a@b');
    expect(iq.toStr()).toBe("<iq type='set'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>");
    expect(iq.getTag('query')?.getTag('item')?.element.namespaceURI).toBe('jabber:iq:roster');
  });

  it('[X] insertTag moves a node: its old parent has it no more', () => {
    const [one, two] = [node('<a><child/></a>'), factory.newNode('b')];
    const child = one.getTag('child')!;
    expect(two.insertTag(child)).toBe(child);
    expect([one.toStr(), two.toStr()]).toEqual(['<a/>', '<b><child/></b>']);
    expect(child.parent()).toBe(two);
    expect(two.insertTag(xml('other')).name()).toBe('other');
  });

  it('insertTag refuses what is no node, and a node in itself', () => {
    const a = factory.newNode('a');
    expect(() => a.insertTag(null as never)).toThrow(expect.objectContaining({ code: 'USAGE_ELEMENT' }));
    expect(() => a.insertTag(7 as never)).toThrow(expect.objectContaining({ code: 'USAGE_ELEMENT' }));
    expect(() => a.insertTag(a)).toThrow(expect.objectContaining({ code: 'USAGE_ELEMENT' }));
  });

  describe('getTag and getTags', () => {
    const presence = node(
      "<presence><show>away</show><x xmlns='jabber:x:delay'/><x xmlns='jabber:x:signed'/><p:y xmlns:p='u:p'/></presence>",
    );

    it('by name, by namespace, by both, with any name', () => {
      expect(presence.getTag('show')?.data()).toBe('away');
      expect(presence.getTag('x', 'jabber:x:signed')?.element.namespaceURI).toBe('jabber:x:signed');
      expect(presence.getTags('x')).toHaveLength(2);
      expect(presence.getTags('')).toHaveLength(4);
      expect(presence.getTags('', 'jabber:x:delay')).toHaveLength(1);
      expect(presence.getTag('p:y')?.name()).toBe('p:y');
    });

    it('undefined and an empty list when there is none', () => {
      expect(presence.getTag('status')).toBeUndefined();
      expect(presence.getTag('show', 'u:other')).toBeUndefined();
      expect(presence.getTags('status')).toEqual([]);
    });

    it('knows the namespace of a child that inherits it', () => {
      expect(node(`<query xmlns='${NS.IQ_ROSTER}'><item/></query>`).getTag('item', NS.IQ_ROSTER)).toBeDefined();
    });
  });

  it('getChildren, clone and hide', () => {
    const message = node('<message>text<a/><b/></message>');
    expect(message.getChildren().map((child) => child.name())).toEqual(['a', 'b']);
    const copy = message.clone();
    message.getTag('a')?.hide();
    message.hide();
    expect(message.toStr()).toBe('<message>text<b/></message>');
    expect(String(copy)).toBe('<message>text<a/><b/></message>');
  });
});
