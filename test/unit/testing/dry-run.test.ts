import { describe, expect, test } from 'vitest';
import { NS, reply, StanzaError, xml, type Broker } from 'xmpp-broker';
import { DryRun } from 'xmpp-broker/testing';
import { failure } from '../../support/failure.js';

/** A bot that answers greetings, requests for the time, and asks who wants to know. */
function bot(broker: Broker): void {
  broker.match(
    '/message[body="hello"]',
    ({ node }) => void broker.output(reply(node, xml('body', {}, 'hello yourself'))),
  );
  const time = { name: 'time', namespace: NS.TIME };
  broker.answer('get', time, () => xml('time', { xmlns: NS.TIME }, xml('utc', {}, 'now')));
  broker.match('/message[body="who"]', async ({ node }) => {
    const to = node.getAttribute('from');
    const answer = await broker.request(xml('iq', { type: 'get', to }, xml('query', { xmlns: NS.IQ_VERSION })));
    const name = answer.getChild('query', NS.IQ_VERSION)?.getChildText('name');
    broker.output(xml('message', { to }, xml('body', {}, `you are ${name ?? 'nobody'}`)));
  });
}

describe.each([
  ['an account', 'bot@localhost/x'],
  ['a component', 'bot.localhost'],
])('a dry run of %s', (_, jid) => {
  const from = 'romeo@localhost/orchard';

  test('calls handlers, and shows what they send', async () => {
    await using run = await DryRun.start({ jid });
    bot(run.broker);
    run.receive(xml('message', { from }, xml('body', {}, 'hello')));
    const answer = await run.expect('/message[body="hello yourself"]');
    expect(answer.getAttribute('to')).toBe(from);
    expect(run.broker.jid?.toString()).toBe(jid);
  });

  test('answers requests, those of nobody too', async () => {
    await using run = await DryRun.start({ jid });
    bot(run.broker);
    run.receive(`<iq type='get' id='1' from='${from}'><time xmlns='urn:xmpp:time'/></iq>`);
    run.receive(`<iq type='get' id='2' from='${from}'><other xmlns='urn:other'/></iq>`);
    expect((await run.expect('/iq[@id="1"][@type="result"]/t:time', { namespaces: { t: NS.TIME } })).localName).toBe(
      'iq',
    );
    await run.expect('/iq[@id="2"][@type="error"]');
  });

  test('lets requests of handlers be answered by the test', async () => {
    await using run = await DryRun.start({ jid });
    bot(run.broker);
    run.receive(xml('message', { from }, xml('body', {}, 'who')));
    const asked = await run.expect('/iq[@type="get"]');
    const answer = reply(asked, xml('query', { xmlns: NS.IQ_VERSION }, xml('name', {}, 'Romeo')));
    answer.setAttribute('from', from);
    run.receive(answer);
    await run.expect('/message[body="you are Romeo"]');
  });

  test('lets them be refused, or the link end', async () => {
    await using run = await DryRun.start({ jid });
    const ask = () => run.broker.request(xml('iq', { type: 'get', to: from }, xml('ping', { xmlns: NS.PING })));
    const refused = failure(ask());
    run.receive(new StanzaError('forbidden').replyTo(await run.expect('/iq')));
    expect(await refused).toMatchObject({ condition: 'forbidden' });
    const lost = failure(ask());
    await run.expect('/iq');
    run.broker.halt();
    expect(await lost).toHaveProperty('code');
  });

  test('waits for handlers when it ends, and gives everything', async () => {
    const run = await DryRun.start({ jid });
    run.broker.match('/message', async ({ node }) => {
      await new Promise((resolve) => setImmediate(resolve));
      run.broker.output(reply(node, xml('body', {}, 'at last')));
    });
    run.receive(xml('message', { from }));
    run.receive(xml('message', { from, type: 'chat' }));
    const sent = await run.finish();
    expect(sent.map((stanza) => stanza.getChildText('body'))).toEqual(['at last', 'at last']);
    await run[Symbol.asyncDispose]();
  });
});

describe('what is expected', () => {
  test('is given once, before or behind its arrival, to each who asks', async () => {
    await using run = await DryRun.start();
    const early = run.expect('/message[@id="2"]');
    for (const id of ['1', '2', '3']) run.broker.output(xml('message', { to: 'a@b', id }));
    expect((await early).getAttribute('id')).toBe('2');
    const rest = [await run.expect('/message'), await run.expect('/message')];
    expect(rest.map((stanza) => stanza.getAttribute('id'))).toEqual(['1', '3']);
    expect(run.sent).toHaveLength(3);
  });

  test('and does not come is told with what did, without secrets', async () => {
    await using run = await DryRun.start();
    const query = xml('query', { xmlns: NS.IQ_REGISTER }, xml('password', {}, 'sesame'));
    run.broker.output(xml('message', { to: 'a@b' }, xml('body', {}, 'hi')));
    run.broker.output(xml('iq', { type: 'set', id: '1', to: 'b' }, query));
    await run.expect('/iq');
    const error = await failure(run.expect('/presence', { within: 1 }));
    expect(error).toMatchObject({ code: 'EXPECT_FAILED' });
    expect(error.message).toMatch(
      /^nothing that matches \/presence arrived within 1 ms; these did:\n {2}<message .*hi.*\n {2}<iq /,
    );
    expect(error.message).not.toContain('sesame');
  });

  test('comes to an end with the broker', async () => {
    const run = await DryRun.start();
    const waiting = failure(run.expect('/presence'));
    await run.finish();
    expect((await waiting).message).toBe(
      'nothing that matches /presence arrived before the broker ended; nothing else did',
    );
    await run[Symbol.asyncDispose]();
  });
});

test.each([
  [(run: DryRun) => run.receive(null as never), 'receive() wants a message, presence or iq, not null'],
  [(run: DryRun) => run.receive(xml('r')), 'receive() wants a message, presence or iq, not <r/>'],
  [(run: DryRun) => run.receive('<message>'), ''],
  [(run: DryRun) => run.expect(1 as never), ''],
  [(run: DryRun) => run.expect('/message['), ''],
  [(run: DryRun) => run.expect('/message', { within: 'x' as never }), 'within'],
  [(run: DryRun) => run.expect('/message', { whitin: 1 } as never), 'within'],
  [() => DryRun.start({ jid: '@@' }), 'jid'],
  [() => DryRun.start(1 as never), ''],
])('a wrong call is refused: %s', async (call, message) => {
  await using run = await DryRun.start();
  const error = await failure(Promise.resolve().then(() => call(run)));
  expect(error.code).toMatch(/^(?:USAGE_|XML_)/);
  expect(error.message).toContain(message);
});
