import { describe, expect, test } from 'vitest';
import {
  BrokerError,
  errorReply,
  JABBER_NS,
  JID,
  NodeFactory,
  NS,
  parse,
  reply,
  serialize,
  StanzaError,
  xml,
} from 'xmpp-broker';
import { failure } from '../../support/failure.js';
import { ScriptedPeer, streamHeader } from '../../wire/support/index.js';
import { bodies, received, useSite } from './site.js';

const site = useSite();

describe('the stream and its XML', () => {
  test('row 65: a stream error stops connecting, and is told when it comes later', async () => {
    site.server.refuse({ condition: 'policy-violation', text: 'not today' });
    const refused = failure(site.client().connect());
    expect(await refused).toMatchObject({ code: 'STREAM_ERROR', condition: 'policy-violation', text: 'not today' });
    site.server.refuse(null);
    const broker = await site.ready(site.component());
    const told = broker.events.once('PCJ_PROTOCOLERROR');
    site.server.kick('comp.localhost', 'policy-violation');
    expect(await told).toMatchObject({ code: 'STREAM_ERROR', condition: 'policy-violation', phase: 'ready' });
  });

  test('row 66: any chunking, entities, CDATA; white space between stanzas is ignored', async () => {
    const peer = await ScriptedPeer.listen();
    const broker = site.component('comp.localhost', { port: peer.port });
    const connected = broker.connect();
    const server = await peer.accept();
    await server.expect(/<stream:stream[^>]*>/);
    await server.sendSplit(
      streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: 'S', from: 'comp.localhost', version: null }),
      [1],
    );
    await server.expect('</handshake>');
    await server.send('<handshake/>');
    await connected;
    const arrived = received(broker, 2);
    await server.sendSplit(
      " \n<message to='comp.localhost'><body>0 &lt;&#x20AC;&amp;<![CDATA[<€>]]>\r\n</body></message> ",
      [1],
    );
    await server.send("<message to='comp.localhost'><body>0</body></message>");
    expect(bodies(await arrived)).toEqual(['0 <€&<€>\n', '0']);
    await peer.close();
  });

  test('row 67: building nodes: name, attributes, a child in a namespace, text, chaining', () => {
    const built = xml('iq', { type: 'get', to: 'a@b' }, xml('query', { xmlns: NS.IQ_VERSION }, xml('name', {}, '<&>')));
    const iq = new NodeFactory().newNode('iq');
    iq.attr('type', 'get');
    iq.attr('to', 'a@b');
    iq.insertTag('query', NS.IQ_VERSION).insertTag('name').data('<&>');
    expect(iq.toStr()).toBe(built.toString());
    expect(built.toString()).toBe(
      "<iq type='get' to='a@b'><query xmlns='jabber:iq:version'><name>&lt;&amp;&gt;</name></query></iq>",
    );
  });

  test('row 68: a node from a string, also after an error', () => {
    const factory = new NodeFactory();
    expect(() => factory.newNodeFromStr('<broken')).toThrow(BrokerError);
    expect(() => parse('<broken')).toThrow(BrokerError);
    expect(factory.newNodeFromStr('<a b="c"/>').attr('b')).toBe('c');
    expect(parse('<a/>').localName).toBe('a');
  });

  test('row 69: children by name, by namespace or both, one or all, and none is undefined', () => {
    const source = "<m><x xmlns='u:1' n='1'/><x xmlns='u:2' n='2'/><y/></m>";
    const node = new NodeFactory().newNodeFromStr(source);
    expect(node.getTag('x', 'u:2')?.attr('n')).toBe('2');
    expect(node.getTags('x').map((one) => one.attr('n'))).toEqual(['1', '2']);
    expect(node.getTags('')).toHaveLength(3);
    expect(node.getTag('z')).toBeUndefined();
    const element = parse(source);
    expect(element.getChild('x', 'u:2')?.getAttribute('n')).toBe('2');
    expect(element.getChildren('*', '*')).toHaveLength(3);
    expect(element.getChild('z')).toBeNull();
  });

  test('row 70: attributes and text are got, set and deleted with escaping; raw text can be set', () => {
    const node = new NodeFactory().newNode('a');
    node.attr('q', `'"<&>`);
    node.data('0');
    expect(parse(node.toStr()).getAttribute('q')).toBe(`'"<&>`);
    expect(parse(node.toStr()).textContent).toBe('0');
    node.attr('q', '');
    node.rawdata('&lt;<b/>');
    expect(node.toStr()).toBe('<a>&lt;<b/></a>');
    node.data('');
    expect(node.toStr()).toBe('<a><b/></a>');
  });

  test('row 71: children are removed, copied and listed; text and elements keep their order', () => {
    const node = new NodeFactory().newNodeFromStr('<a>1<b/>2<c/>3</a>');
    const copy = node.clone();
    expect(node.getChildren().map((child) => child.parent())).toEqual([node, node]);
    node.getTag('b')?.hide();
    expect([node.toStr(), copy.toStr()]).toEqual(['<a>12<c/>3</a>', '<a>1<b/>2<c/>3</a>']);
    expect(node.element.childNodes.map((child) => child.nodeName)).toEqual(['#text', '#text', 'c', '#text']);
  });

  test('row 72: serialisation keeps order and namespaces; a stream is opened and closed with its tags', async () => {
    const element = parse("<a z='1' b='2' xmlns:p='u:p' p:c='3'><p:d/><e xmlns='u:e'/></a>");
    expect(serialize(element)).toBe("<a z='1' b='2' xmlns:p='u:p' p:c='3'><p:d/><e xmlns='u:e'/></a>");
    const peer = await ScriptedPeer.listen();
    const broker = site.component('comp.localhost', { port: peer.port });
    const connected = broker.connect();
    const server = await peer.accept();
    expect(await server.expect(/<stream:stream[^>]*>/)).toMatch(/[^/]>$/);
    await server.send(streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: 'S', from: 'comp.localhost', version: null }));
    await server.expect('</handshake>');
    await server.send('<handshake/>');
    await connected;
    const closing = broker.shutdown();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    await closing;
    await peer.close();
  });

  test('row 73: replies: addresses swapped, a result, stanza errors; errors of old servers are read', () => {
    const iq = parse("<iq type='get' id='1' from='a@b/c' to='d.e'><q xmlns='u:q'/></iq>");
    expect(reply(iq, xml('q', { xmlns: 'u:q' })).toString()).toBe(
      "<iq type='result' id='1' from='d.e' to='a@b/c'><q xmlns='u:q'/></iq>",
    );
    const error = errorReply(iq, 'item-not-found');
    expect([error.getAttribute('to'), error.getAttribute('type')]).toEqual(['a@b/c', 'error']);
    expect(new StanzaError(error)).toMatchObject({ condition: 'item-not-found', type: 'cancel' });
    expect(new StanzaError(parse("<iq type='error'><error code='401'/></iq>")).condition).toBe('not-authorized');
  });

  test('row 74: addresses: user, host, resource, bare, parts', () => {
    const jid = JID.parse('juliet@example.org/balcony');
    expect([jid.local, jid.domain, jid.resource, jid.bare().toString()]).toEqual([
      'juliet',
      'example.org',
      'balcony',
      'juliet@example.org',
    ]);
    const host = JID.parse('b');
    expect([host.local, host.domain, host.resource]).toEqual([null, 'b', null]);
  });

  test('row 75: constants for namespaces and iq types, in groups', () => {
    expect(JABBER_NS.iq.NS_ROSTER).toBe('jabber:iq:roster');
    expect(JABBER_NS.misc.IQ_RESULT).toBe('result');
    expect(JABBER_NS.all.NS_ACCEPT).toBe(NS.COMPONENT_ACCEPT);
    expect(
      [NS.TLS, NS.SASL, NS.BIND, NS.SESSION, NS.STREAMS, NS.STANZAS].every((uri) => uri.startsWith('urn:ietf')),
    ).toBe(true);
  });
});
