// What privileged components make of stanzas that are not as they should be: from whoever sends them, and from the program.
import { describe, expect, it, vi } from 'vitest';
import { Delegation, JID, Privileges, xml, type DelegationOptions, type Element } from 'xmpp-broker';
import { StanzaError } from '../../../src/stanza/stanza-error.js';
import { serialize } from '../../../src/xml/serializer.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { failure } from '../../support/failure.js';

const stanza = (text: string): Element => parse(text.replace(/^<(\w+)/, "<$1 xmlns='jabber:component:accept'"));

/** What the helpers need of a broker, which writes down what it is given. */
function fakeBroker(answer: () => Element = () => stanza("<iq type='result' id='x'/>")) {
  const handlers = new Map<string, ((payload: unknown) => unknown)[]>();
  const sent: string[] = [];
  const broker = {
    state: 'ready',
    config: { domain: 'svc.example.org', timeouts: { request: 5_000 } },
    output: (node: Element) => void sent.push(serialize(node, { defaultNamespace: 'jabber:component:accept' })),
    request: (node: Element) => {
      broker.output(node);
      return Promise.resolve(answer());
    },
    subscribe: (event: string, handler: (payload: unknown) => unknown) => {
      handlers.set(event, [...(handlers.get(event) ?? []), handler]);
    },
  };
  const arrives = (text: string): unknown =>
    handlers.get('PCJ_NODERECEIVED')?.map((handler) => handler(stanza(text)))[0];
  return { broker: broker as unknown as ConstructorParameters<typeof Privileges>[0], sent, arrives };
}

describe('modern 7: a delegation', () => {
  function made(options: Partial<DelegationOptions> = {}) {
    const site = fakeBroker();
    const handler = vi.fn((): Element | undefined => xml('r', { xmlns: 'urn:a' }));
    const delegation = new Delegation(site.broker, { handlers: { 'urn:a': handler }, ...options });
    return { ...site, handler, delegation };
  }
  const info = (node: string) => `<query xmlns='http://jabber.org/protocol/disco#info'${node}/>`;
  const wrapped = (inside: string) => `<delegation xmlns='urn:xmpp:delegation:2'>${inside}</delegation>`;
  const outer = (inside: string, type = 'set') =>
    `<iq from='example.org' id='o' type='${type}'>${wrapped(inside)}</iq>`;
  const inner = (attributes: string, payload = "<q xmlns='urn:a'/>") =>
    `<forwarded xmlns='urn:xmpp:forward:0'><iq xmlns='jabber:client' ${attributes}>${payload}</iq></forwarded>`;

  it.each([
    ['presence', "<presence from='example.org'/>"],
    ['a message with nothing in it', "<message from='example.org'/>"],
    ['something else in a message', "<message from='example.org'><body>x</body></message>"],
    [
      'an announcement of another one',
      `<message from='evil.example'>${wrapped("<delegated namespace='urn:a'/>")}</message>`,
    ],
    [
      'an announcement of a user',
      `<message from='a@example.org'>${wrapped("<delegated namespace='urn:a'/>")}</message>`,
    ],
    [
      'an announcement that came back',
      `<message from='example.org' type='error'>${wrapped("<delegated namespace='urn:a'/>")}</message>`,
    ],
    ['an announcement without a namespace', `<message from='example.org'>${wrapped('<delegated/>')}</message>`],
    [
      'an announcement of no version',
      "<message from='example.org'><delegation xmlns='urn:x'><delegated namespace='urn:a'/></delegation></message>",
    ],
    [
      'a question in a message',
      `<message from='example.org'>${info(" node='urn:xmpp:delegation:2::urn:a'")}</message>`,
    ],
    [
      'a question that is set',
      `<iq from='example.org' id='q' type='set'>${info(" node='urn:xmpp:delegation:2::urn:a'")}</iq>`,
    ],
    ['a question of no node', `<iq from='example.org' id='q' type='get'>${info('')}</iq>`],
    [
      'a question of another node',
      `<iq from='example.org' id='q' type='get'>${info(" node='urn:xmpp:delegation:3::urn:a'")}</iq>`,
    ],
    [
      'a question of half a node',
      `<iq from='example.org' id='q' type='get'>${info(" node='urn:xmpp:delegation:2:urn:a'")}</iq>`,
    ],
    [
      'a question of nothing',
      `<iq from='example.org' id='q' type='get'>${info(" node='urn:xmpp:delegation:2::'")}</iq>`,
    ],
    ['a request that is asked for', outer(inner("type='get' from='a@example.org' id='1'"), 'get')],
    ['an answer', outer(inner("type='get' from='a@example.org' id='1'"), 'result')],
  ])('leaves %s to others', (_, text) => {
    const { arrives, sent, delegation, handler } = made();
    expect(arrives(text)).toBeUndefined();
    expect([sent, delegation.namespaces('example.org').size, handler.mock.calls]).toEqual([[], 0, []]);
  });

  it.each([
    ['nothing in it', ''],
    [
      'two in it',
      inner("type='get' from='a@example.org' id='1'").replace(
        '</forwarded>',
        "<iq xmlns='jabber:client'/></forwarded>",
      ),
    ],
    ['a result in it', inner("type='result' from='a@example.org' id='1'")],
    ['nobody who asks', inner("type='get' id='1'")],
    ['somebody who can be nobody', inner("type='get' from='@@' id='1'")],
    ['nobody it can be for', inner("type='get' from='a@example.org' to='@@' id='1'")],
    ['no payload', inner("type='get' from='a@example.org' id='1'", '')],
    ['two payloads', inner("type='get' from='a@example.org' id='1'", "<q xmlns='urn:a'/><q xmlns='urn:a'/>")],
  ])('refuses a request with %s', async (_, inside) => {
    const { arrives, sent, handler } = made();
    await arrives(outer(inside));
    expect(sent).toEqual([expect.stringMatching(/^<iq type='error' id='o'.*<bad-request /) as string]);
    expect(handler).not.toHaveBeenCalled();
  });

  it.each<[string, string, DelegationOptions['handlers'][string] | null, string]>([
    ['of a namespace that nobody handles', "<q xmlns='urn:z'/>", null, '<service-unavailable '],
    ['of no namespace', "<q xmlns=''/>", null, '<service-unavailable '],
    ['whose handler gives nothing', "<q xmlns='urn:a'/>", () => undefined, "type='result'"],
    ['whose handler says no', "<q xmlns='urn:a'/>", () => Promise.reject(new StanzaError('forbidden')), '<forbidden '],
  ])('answers a request %s', async (_, payload, handler, found) => {
    const { arrives, sent } = made(handler === null ? {} : { handlers: { 'urn:a': handler } });
    await arrives(outer(inner("type='get' from='a@example.org/x' id='1'", payload)));
    expect(sent).toHaveLength(1);
    expect(sent[0]).toContain("<forwarded xmlns='urn:xmpp:forward:0'><iq xmlns='jabber:client'");
    // In the name of whom it was for: the account itself.
    expect(sent[0]).toContain("from='a@example.org'");
    expect(sent[0]).toContain(found);
  });

  it('says by itself that a namespace is there', () => {
    const { arrives, sent } = made();
    arrives(`<iq from='example.org' id='q' type='get'>${info(" node='urn:xmpp:delegation:2:bare:urn:a'")}</iq>`);
    expect(sent[0]).toContain("<feature var='urn:a'/>");
  });
});

describe('modern 7: privileges', () => {
  const PERMS =
    "<perm access='roster' type='both'/><perm access='iq'><namespace/><namespace ns='urn:a' type='get'/><namespace ns='urn:b' type='all'/></perm>";
  const announced = (perms: string) =>
    `<message from='example.org'><privilege xmlns='urn:xmpp:privilege:2'>${perms}</privilege></message>`;
  function made(answer?: () => Element) {
    const site = fakeBroker(answer);
    const privileges = new Privileges(site.broker);
    site.arrives(announced(PERMS));
    return { ...site, privileges };
  }

  it('grants nothing that has no name, and nothing in a way that there is not', () => {
    const { privileges } = made();
    expect(privileges.grants('example.org')?.iq).toEqual(
      new Map([
        ['urn:a', 'get'],
        ['urn:b', 'none'],
      ]),
    );
  });

  it.each([
    ['nothing', ''],
    ['something else', '<body>x</body>'],
    [
      'what another one forwards',
      "<privilege xmlns='urn:xmpp:privilege:2'><forwarded xmlns='urn:xmpp:forward:0'/></privilege>",
    ],
  ])('are left as they are by a message with %s', (_, inside) => {
    const { privileges, arrives } = made();
    arrives(`<message from='example.org'>${inside}</message>`);
    arrives(announced('').replace('example.org', 'evil.example'));
    expect([privileges.grants('example.org')?.roster, privileges.grants('evil.example')]).toEqual(['both', null]);
  });

  it('give an empty roster where the answer has none', async () => {
    const { privileges } = made();
    expect((await privileges.roster('a@example.org')).children).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['no stanza', null, 'null'],
    ['a text', '<iq/>', 'a string'],
    ['another stanza', xml('message', { type: 'get' }, xml('q', { xmlns: 'urn:a' })), '<message/> of type get'],
    ['no type', xml('iq', {}, xml('q', { xmlns: 'urn:a' })), '<iq/> of type none'],
    ['an answer', xml('iq', { type: 'result' }, xml('q', { xmlns: 'urn:a' })), '<iq/> of type result'],
    ['no payload', xml('iq', { type: 'get' }), '<iq/> of type get'],
  ])('take no request that is %s', async (_, iq, named) => {
    const { privileges, sent } = made();
    const error = await failure(privileges.request('a@example.org', iq as Element));
    expect(error.code).toBe('USAGE_PRIVILEGE');
    expect(error.message).toContain(named);
    expect(sent).toEqual([]);
  });

  it.each([
    ['of a namespace that is not granted', 'get', 'urn:z'],
    ['of a type that is not granted', 'set', 'urn:a'],
    ['of no namespace', 'get', ''],
  ])('send no request %s', async (_, type, xmlns) => {
    const { privileges, sent } = made();
    const error = await failure(privileges.request('a@example.org', xml('iq', { type }, xml('q', { xmlns }))));
    expect([error.code, sent]).toEqual(['PRIVILEGE_NOT_GRANTED', []]);
    expect(error.message).toContain(`requests of type ${type} and namespace ${xmlns}`);
  });

  it.each([undefined, '', 'own'])('give a request an id of its own unless it has one: %j', async (id) => {
    const { privileges, sent } = made();
    const asked = privileges.request(
      JID.parse('a@example.org').toString(),
      xml('iq', { type: 'get', id }, xml('q', { xmlns: 'urn:a' })),
    );
    // The answer of this server is none.
    expect((await failure(asked)).code).toBe('PRIVILEGE_BAD_ANSWER');
    const [, given = ''] = /<iq xmlns='jabber:client' type='get' id='([^']*)'/.exec(sent[0] ?? '') ?? [];
    if (id === 'own') expect(given).toBe('own');
    else expect(given.length).toBeGreaterThan(10);
  });
});
