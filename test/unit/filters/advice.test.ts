import { describe, expect, it, test } from 'vitest';
import { FilterSet } from '../../../src/filters/filter-set.js';
import { tree } from './tree.js';

const namespaces = { v: 'jabber:iq:version', c: 'jabber:client', s: 'urn:ietf:params:xml:ns:xmpp-stanzas' };
const warningsOf = (expression: string) => new FilterSet().explainExpression(expression, { namespaces }).warnings;

describe('E7: what can never match is told', () => {
  test.each<[expression: string, ...says: string[]]>([
    // names without a prefix
    ['/iq/query', 'query finds nothing', 'what an <iq/> carries is in one', 'bind a prefix'],
    ['/iq[query]', 'query finds nothing'],
    ['query', 'query finds nothing', 'what a stanza carries'],
    ['//query', 'query finds nothing'],
    ['/message[.//delay]', 'delay finds nothing'],
    ['/message/delay/@stamp', 'delay finds nothing'],
    ['/message[bodi]', 'did you mean body?'],
    ['/message/Body', 'did you mean body?'],
    ['/iq/v:query/name', 'also inside <query/>: bind a prefix to jabber:iq:version'],
    ['/message/error/forbidden', 'urn:ietf:params:xml:ns:xmpp-stanzas'],
    // children that another stanza has
    ['/iq/body', 'body finds nothing', 'an <iq/> has none'],
    ['/presence/subject', 'a <presence/> has none'],
    ['/message/show', 'a <message/> has none'],
    ['/message/body/b', 'a <body/> holds nothing but text'],
    // the stanza is the root, and the context
    ['presence[@type]', 'presence finds nothing', 'write /presence'],
    ['message/body', 'message finds nothing', 'write /message'],
    ['/message/message', 'no stanza below it'],
    ['/body', '/body finds nothing', 'the stanza itself', 'write /*/body'],
    ['/v:query', 'write it without a prefix'],
    ['/Message', 'did you mean message?'],
    ['/IQ', 'did you mean iq?'],
    ['/presense', 'did you mean presence?'],
    ['self::mesage', 'did you mean message?'],
    ['/stream/message', '/stream finds nothing'],
    ['parent::stream', 'the stream around it cannot be seen'],
    ['/message/ancestor::stream', 'the stream around it cannot be seen'],
    ['/@type', 'leave the slash out'],
    // attributes
    ["/iq[@xmlns = 'jabber:client']", '@xmlns finds nothing', 'no attribute'],
    ["//*[@xmlns='jabber:iq:version']", '@xmlns finds nothing'],
    ["/iq/v:query[@xmlns='jabber:iq:version']", '@xmlns finds nothing'],
    ["/message[type='chat']", 'the attribute is @type'],
    ['/message/from', 'the attribute is @from'],
    ["/message[@typ='chat']", 'did you mean @type?'],
    ["/message[@form='a@b']", 'did you mean @from?'],
    ["/message[@lang='de']", '@xml:lang'],
    ['/iq/v:query/@v:node', 'in no namespace, whatever their element is in'],
    ['@id/x', 'nothing below them'],
    ['/message/body/text()/x', 'nothing below them'],
    // values
    ["/presence[@type='available']", '@type is never "available"', 'available is not(@type)'],
    ["/message[@type='Chat']", '@type is never "Chat"', 'chat, error'],
    ["/iq[@type='response']", 'get, set, result, error'],
    ["@type = 'online'", '@type is never "online"'],
    ["/presence/@type = 'away'", 'is never "away"'],
    ["/presence[show='online']", 'show is never "online"', 'away, chat, dnd, xa'],
    ["/presence/show = 'offline'", 'is never "offline"'],
    ["/message[@type='chat' and @type='normal']", '@type is never both "chat" and "normal"'],
    ["/message[@from='a@b'][@from='c@d']", '@from is never both'],
    ["//*[local-name()='v:query']", 'local-name() is never "v:query"'],
    // places
    ['/message[2]', '[2] finds nothing', 'one stanza at a time'],
    ['/message/body[0]', '[0] finds nothing', 'counted from 1'],
    ['//body[1.5]', '[1.5] finds nothing'],
    // what XMPP does not have
    ['//comment()', 'comment() finds nothing'],
    ['/message/processing-instruction()', 'finds nothing'],
    ['id("x")', 'id() finds nothing'],
    // wherever it stands
    ['not(query)', 'query finds nothing'],
    ['/message | /iq/query', 'query finds nothing'],
    ["/message[contains(query, 'x') or body]", 'query finds nothing'],
    ['count(query) + 1', 'query finds nothing'],
    ['(/iq/query)[1]', 'query finds nothing'],
  ])('%s', (expression, ...says) => {
    const warnings = warningsOf(expression);
    expect(warnings).toHaveLength(1);
    for (const text of says) expect(warnings[0]).toContain(text);
  });

  test('each part is told once', () => {
    expect(warningsOf('/iq/query | /iq/query | /message/delay | /Presence')).toHaveLength(3);
  });

  test.each(
    [
      '/message',
      '/c:message/c:body',
      '/message[@type="chat" and body]',
      '/message[body and not(@type="error" or @type="groupchat")]',
      '/presence[not(@type)]/show',
      '/presence[show="xa" or @type="unavailable"]',
      '/iq[@type="get"]/v:query',
      '/iq/v:query/v:name',
      '/iq/error/s:forbidden',
      '/iq/*',
      '/*/*[namespace-uri()="urn:x"]',
      "//*[local-name()='query']",
      '//v:query',
      '//body',
      'body',
      '@id',
      '..',
      'self::message',
      '/message[@xml:lang="de"]',
      '/message[v:x/message/body]',
      '/message[1]',
      '/message/body[2]',
      '/message/body/text()',
      '/message/error[@type="wait"]',
      '/iq/v:query[@node="x" and @type="anything"]',
      "/message[@from='a@b' or @from='c@d']",
      "/message[@id='a'][@to='b']",
      'count(//*) > 3',
      'true()',
      '',
    ].filter((expression) => expression !== ''),
  )('nothing is said of %s', (expression) => {
    expect(warningsOf(expression)).toEqual([]);
  });

  test('the namespaces of a dialect are taken for the stream’s', () => {
    const set = new FilterSet({ contentNamespaces: ['urn:own'] });
    expect(set.explainExpression('/o:message/o:body', { namespaces: { o: 'urn:own' } }).warnings).toEqual([]);
  });

  test('explain() tells, too, and add() takes everything', () => {
    const set = new FilterSet();
    set.add('version', '/iq/query');
    expect(set.explain('version')[0]?.warnings).toHaveLength(1);
  });
});

describe('test(): whether an expression matches, and why not', () => {
  const MESSAGE =
    "<message from='romeo@example.org/orchard' type='chat' id='m1'><body>hello there</body>" +
    "<delay xmlns='urn:xmpp:delay' stamp='2002'/></message>";
  const IQ = "<iq type='get' id='1' from='a@b'><query xmlns='jabber:iq:version'/></iq>";

  test.each([
    ['/message', MESSAGE, 1],
    ['//body | //@id', MESSAGE, 2],
    ['/iq/v:query', IQ, 1],
    ["@type = 'get'", IQ, 0],
    ['..', IQ, 1],
  ])('%s matches', (expression, stanza, nodes) => {
    const result = new FilterSet().test(expression, tree(stanza), { namespaces });
    expect(result).toMatchObject({ matches: true, why: null });
    expect(result.nodes).toHaveLength(nodes);
  });

  test.each<[expression: string, stanza: string, why: string]>([
    ['/presence', MESSAGE, 'the stanza is <message/>, not presence'],
    ['/v:query', IQ, 'the stanza is <iq/>, not {jabber:iq:version}query'],
    ['self::iq', MESSAGE, '<message/> is not iq'],
    ['/iq/query', IQ, "<iq/> has no child query; it has <query xmlns='jabber:iq:version'/>"],
    ['/iq/v:query/v:name', IQ, "<query xmlns='jabber:iq:version'/> has no child {jabber:iq:version}name; it has none"],
    ['//query', IQ, "there is no query in <iq/>; there is <query xmlns='jabber:iq:version'/>"],
    ['.//query', IQ, "there is no query in <iq/>; there is <query xmlns='jabber:iq:version'/>"],
    ['presence[@type]', '<presence type="probe"/>', '<presence/> has no child presence; it has none'],
    ['/message[@type="groupchat"]', MESSAGE, '@type of <message/> is "chat", not "groupchat"'],
    ['"groupchat" = @type', MESSAGE, '@type of <message/> is "chat", not "groupchat"'],
    [
      '/message[@from="romeo@example.org"]',
      MESSAGE,
      '@from of <message/> is "romeo@example.org/orchard", not "romeo@example.org"',
    ],
    ['/message[body="hi"]', MESSAGE, 'body of <message/> is "hello there", not "hi"'],
    ['/message/body = "hi"', MESSAGE, '/message/body is "hello there", not "hi"'],
    ['/message[@to]', MESSAGE, '<message/> has no attribute to; it has from, type, id'],
    ['@to = "x"', MESSAGE, '<message/> has no attribute to; it has from, type, id'],
    ["@xmlns = 'jabber:client'", MESSAGE, '<message/> has no attribute xmlns; it has from, type, id'],
    ['@type != "chat"', MESSAGE, '@type of <message/> is "chat", and @type != "chat" is asked for'],
    ['@id = @from', MESSAGE, '@id of <message/> is "m1", and @from is "romeo@example.org/orchard"'],
    ['count(body) > 2', MESSAGE, 'count(body) is 1, and count(body) > 2 is asked for'],
    ['contains(body, "urgent")', MESSAGE, 'body is "hello there": it contains no "urgent"'],
    ['starts-with(subject, "x")', MESSAGE, '<message/> has no child subject; it has <body/>'],
    ['starts-with(body, "there")', MESSAGE, 'body is "hello there": it does not begin with "there"'],
    ['not(body)', MESSAGE, 'body holds, and not() of it is asked for'],
    ['/message[body and not(@type="chat")]', MESSAGE, '@type = "chat" holds, and not() of it is asked for'],
    ['/message[body and @to]', MESSAGE, '<message/> has no attribute to'],
    ['@a or @b', IQ, 'has no attribute a; it has type, id, from; and <iq/> has no attribute b'],
    ['/presence | /message', IQ, 'the stanza is <iq/>, not presence; and the stanza is <iq/>, not message'],
    ['/message/body[2]', MESSAGE, 'there is no body[2]: there is 1 body'],
    ['/message/subject/text()', MESSAGE, 'has no child subject'],
    ['/message/d:delay/text()', MESSAGE, 'has no text'],
    ['(//body)[2]', MESSAGE, 'nothing that //body finds fulfils its predicates'],
    ['/*[x]', '<message/>', '<message/> has no child x; it has none'],
    ['//item[@n="3"]', "<message><item n='1'/><item n='2'/></message>", 'is "1", not "3", and alike for 1 more'],
    ['false()', IQ, 'false() is false'],
    ['""', IQ, '"" is ""'],
    ['0', IQ, '0 is 0'],
    ['id("x")', IQ, 'id() finds nothing'],
    ['string(@to)', IQ, 'string(@to) is ""'],
    ['ancestor::x', IQ, 'ancestor::x finds nothing from <iq/>'],
    ['normalize-space(" ")', IQ, 'normalize-space(" ") is ""'],
  ])('%s', (expression, stanza, why) => {
    const set = new FilterSet();
    const result = set.test(expression, tree(stanza), { namespaces: { ...namespaces, d: 'urn:xmpp:delay' } });
    expect(result).toMatchObject({ matches: false, nodes: [] });
    expect(result.why).toContain(why);
    expect(set.size).toBe(0);
  });

  it('says so if it is too expensive, and is bounded itself', () => {
    const set = new FilterSet({ visits: 100 });
    const wide = tree(`<message>${'<a/>'.repeat(200)}</message>`);
    expect(set.test('//a[last() > 300]', wide)).toMatchObject({
      matches: false,
      why: expect.stringContaining('100 node visits') as unknown,
    });
  });

  it('tells of what can never match, and refuses what add() refuses', () => {
    const set = new FilterSet();
    expect(set.test('/iq/query', tree(IQ)).warnings).toHaveLength(1);
    expect(() => set.test('/iq[', tree(IQ))).toThrow(expect.objectContaining({ code: 'USAGE_XPATH_SYNTAX' }));
  });

  it('shows nothing that a terminal would obey', () => {
    const variables = { v: '\u001b[31m' };
    expect(new FilterSet().test('@id = $v', tree('<iq id="1"/>'), { variables }).why).toBe(
      '@id of <iq/> is "1", not "\\u001b[31m"',
    );
    const { why } = new FilterSet().test('@id = "1"', tree('<iq id="&#x9b;31m&#xa;"/>'));
    expect(why).toBe('@id of <iq/> is "\\u009b31m\\u000a", not "1"');
  });
});
