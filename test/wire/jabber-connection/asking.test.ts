import { describe, expect, it } from 'vitest';
import { JABBER_NS, JabberNode, NodeFactory, StanzaError } from 'xmpp-broker';
import { message, useConnections } from '../support/connection.js';
import { failure } from '../support/index.js';
import { DOMAIN, readIq } from '../support/legacy.js';

const nodes = new NodeFactory();

const { client } = useConnections();

describe('send and ask', () => {
  it('nodes, elements and strings go out in order', async () => {
    const { connection, server } = await client();
    const node = nodes.newNode('message');
    node.attr('to', 'a@b');
    node.insertTag('body').data('1 & <2>');
    connection.send(node);
    connection.send(node.clone().element);
    connection.send("<message to='c@d'/>");
    await server.expect("<message to='a@b'><body>1 &amp; &lt;2&gt;</body></message>");
    await server.expect("<message to='a@b'><body>1 &amp; &lt;2&gt;</body></message>");
    await server.expect("<message to='c@d'/>");
    expect(() => connection.send('<a><b></a>')).toThrow(expect.objectContaining({ code: 'USAGE_NOT_ONE_STANZA' }));
    expect(() => connection.send(7 as never)).toThrow(expect.objectContaining({ code: 'USAGE_ELEMENT' }));
  });

  it('[X] the answer is the one with the id; others go to handlers, what is behind is not lost', async () => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.getTag('body')?.data() ?? ''));
    connection.registerHandler('iq', (node) => void seen.push(node.attr('id') ?? ''));
    const iq = nodes.newNode('iq');
    iq.attr('type', 'get');
    iq.insertTag('query', JABBER_NS.iq.NS_ROSTER);
    const asked = connection.ask(iq);
    const { id } = await readIq(server);
    expect(iq.attr('id')).toBeUndefined();
    await server.send(
      `${message('before')}<iq type='result' id='other'/><iq type='result' id='${id}'><query xmlns='jabber:iq:roster'><item jid='romeo@${DOMAIN}'/></query></iq>${message('after')}`,
    );
    const answer = await asked;
    expect(answer).toBeInstanceOf(JabberNode);
    expect(answer.getTag('query')?.getTag('item')?.attr('jid')).toBe(`romeo@${DOMAIN}`);
    while (seen.length < 3) await connection.process(1);
    expect(seen).toEqual(['before', 'other', 'after']);
  });

  it('an error answer rejects, and carries it', async () => {
    const { connection, server } = await client();
    const asked = failure(connection.ask("<iq type='get' id='own' to='x@y'><q xmlns='u:q'/></iq>"));
    await server.expect("id='own'");
    await server.send(`<iq type='error' id='own' from='x@y'><error code='404'/></iq>`);
    const error = await asked;
    expect(error).toBeInstanceOf(StanzaError);
    expect(error).toMatchObject({ condition: 'item-not-found', stanza: { localName: 'iq' } });
  });

  it('[X] no answer: a time limit; a lost link: at once', async () => {
    const { connection, server } = await client();
    const query = "<iq type='get' to='x@y'><q xmlns='u:q'/></iq>";
    expect(await failure(connection.ask(query, { timeout: 20 }))).toMatchObject({ code: 'RTS_TIMEOUT' });
    const cut = failure(connection.ask(query));
    await server.expect(/<iq .*<iq .*?<\/iq>/s);
    server.reset();
    expect(await cut).toMatchObject({ code: 'RTS_DISCONNECTED' });
    expect(await connection.process()).toBe(false);
    expect(connection.lastError).toMatchObject({ layer: 'tcp' });
  });

  it('handlers may ask while start() runs', async () => {
    const { connection, server } = await client();
    const answers: string[] = [];
    connection.registerHandler('message', async (node) => {
      const asked = nodes.newNode('iq');
      asked.attr('type', 'get');
      asked.insertTag('q', 'u:q').data(node.getTag('body')?.data() ?? '');
      answers.push((await connection.ask(asked)).attr('id') ?? '');
    });
    const running = connection.start();
    await server.send(message('1') + message('2'));
    for (let n = 1; n <= 2; n += 1) {
      const { id, text } = await readIq(server);
      expect(text).toContain(`>${String(n)}<`);
      await server.send(`<iq type='result' id='${id}'/>`);
    }
    await server.send('</stream:stream>');
    server.end();
    await running;
    expect(answers).toHaveLength(2);
  });
});
