import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import {
  Broker,
  BrokerError,
  JABBERD14_COMPONENT,
  JABBERD20_COMPONENT,
  JID,
  LEGACY,
  NS,
  XMPP,
  type BrokerOptions,
  type Dialect,
} from 'xmpp-broker';
import { DEFAULT_LIMITS } from '../../../src/xml/tokenizer/limits.js';

const OPTIONS: BrokerOptions = {
  connectionType: JABBERD14_COMPONENT,
  host: '127.0.0.1',
  port: 5347,
  domain: 'comp.localhost',
  password: 'r0m30',
  logger: false,
};

const brokers: Broker[] = [];
afterEach(() => {
  for (const broker of brokers.splice(0)) broker.halt();
});

function make(options: object = {}): Broker {
  const broker = new Broker({ ...OPTIONS, ...options });
  brokers.push(broker);
  return broker;
}

/** The problems of the options, one each. */
function problems(options: object): string[] {
  try {
    make(options);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    expect((error as BrokerError).code).toBe('USAGE_OPTIONS');
    const [first = '', ...several] = (error as BrokerError).message.split('\n- ');
    return several.length > 0 ? several : [first.replace(/^new Broker\(\): /, '')];
  }
}

const own: Dialect = { name: 'OWN', xmlns: 'urn:x', negotiate: () => new Promise(() => undefined) };
const MS = 2 ** 31 - 1;
const TIMEOUTS = ['resolve', 'connect', 'tls', 'stream', 'auth', 'bind', 'attempt', 'stanza', 'close', 'request'];

/** Every option: values that are taken, and values that are refused with what the message must say. */
const TABLE: Record<keyof BrokerOptions, { good: unknown[]; bad: [unknown, RegExp][] }> = {
  connectionType: {
    good: [JABBERD14_COMPONENT, own],
    bad: [
      ['XMPP', /must be XMPP, LEGACY, COMPONENT, ROUTER or a dialect of your own, not a string: import \{ XMPP \}/],
      [null, /must be XMPP, .*or a dialect of your own, not null$/],
      [{}, /its name must be a string that is not empty, not undefined/],
      [{ name: 'X' }, /its xmlns must be a string that is not empty/],
      [{ name: 'X', xmlns: 'urn:x' }, /its negotiate must be a function/],
      [{ ...own, version: 1 }, /its version must be/],
      [{ ...own, defaultPort: 0 }, /its defaultPort must be a whole number from 1 to 65535, not 0/],
      [{ ...own, services: [{ srv: '_x._tcp', tls: 'yes' }] }, /its services must be a list of/],
      [{ ...own, services: [{ srv: 'xmpp', tls: 'direct' }] }, /its services must be a list of/],
      [{ ...own, services: [null] }, /its services must be a list of/],
      [{ ...own, defaultTls: 'none' }, /its defaultTls must be 'required' or 'loopback', not "none"/],
      [{ ...own, needs: 'password' }, /its needs must be a list of/],
      [{ ...own, needs: ['pin'] }, /its needs must be a list of/],
      [{ ...own, excludes: ['host'] }, /its excludes must be a list of/],
      [{ ...own, tlsPolicies: ['some'] }, /its tlsPolicies must be a list of/],
      [{ ...own, usualPort: 65_536 }, /its usualPort must be a whole number/],
      [{ ...own, alpn: '' }, /its alpn must be a string of 1 to 255 bytes/],
      [{ ...own, alpn: 'x'.repeat(256) }, /its alpn must be a string of 1 to 255 bytes/],
      [{ ...own, websocket: 1 }, /its websocket must be true or false/],
      [{ ...own, probe: 'pong' }, /its probe must be 'ping' or 'space'/],
      [{ ...own, addressing: 'mine' }, /its addressing must be 'account' or 'domain'/],
      [{ ...own, answersRequests: 1 }, /its answersRequests must be true or false, not 1/],
      [{ ...own, wrap: 'x' }, /its wrap must be a function/],
    ],
  },
  jid: {
    good: ['comp.localhost', 'COMP.localhost', JID.parse('comp.localhost')],
    bad: [
      ['', /jid is no JID/],
      [7, /jid is no JID: a JID is given as a string, not as a number/],
      ['@comp.localhost', /jid is no JID/],
      ['other.localhost', /jid and domain differ: "other\.localhost" and "comp\.localhost"; leave domain out/],
      ['alice@comp.localhost', /jid must be a name alone with COMPONENT, such as "comp\.localhost", not/],
      ['comp.localhost/r', /jid must be a name alone/],
    ],
  },
  domain: {
    good: ['comp.localhost', 'COMP.localhost', 'bücher.example', '[::1]', '192.0.2.1'],
    bad: [
      ['', /string that is not empty/],
      ['user@domain', /without '@'/],
      ['domain/resource', /without '@' and '\/'/],
      ['a b', /is no domain/],
      [7, /string that is not empty/],
    ],
  },
  host: {
    good: ['localhost', '127.0.0.1', '::1', 'fe80::1%eth0', 'xmpp.example.org.'],
    bad: [
      ['', /string that is not empty/],
      ['a b', /name or address of a host/],
      ['host\n', /name or address of a host/],
      ['http://host/', /name or address of a host/],
      ['user@host', /name or address of a host/],
      ['unix:run/xmpp.sock', /absolute path of a socket behind unix:/],
      ['unix:', /absolute path of a socket behind unix:/],
      ['unix:/a\0b', /absolute path of a socket behind unix:/],
      [`unix:/${'x'.repeat(103)}`, /at most 103 bytes/],
    ],
  },
  port: { good: [1, 5347, 65_535], bad: [0, 65_536, -1, 1.5, '5347', NaN].map((bad) => [bad, /from 1 to 65535/]) },
  websocket: {
    good: [], // see below
    bad: [
      [7, /'discover', a wss: URL, or an object with url and headers, not 7/],
      ['', /'discover', a wss: URL, or an object/],
      ['example.org', /'discover', a wss: URL, or an object/],
      ['https://example.org/ws', /'discover', a wss: URL, or an object/],
      ['wss://user:secret@example.org/', /no user name and no password: websocket\.headers can have them$/],
      ['wss://example.org/#secret', /must have no fragment$/],
    ],
  },
  username: { good: ['alice', 'a@b'], bad: [['', /string that is not empty/], [7, /string that is not empty/]] }, // prettier-ignore
  password: { good: ['x', () => 'x', async () => Promise.resolve('x')], bad: [['', /string that is not empty, or a function/], [7, /function/]] }, // prettier-ignore
  resource: { good: ['r'], bad: [['', /string that is not empty/]] },
  alias: { good: ['me'], bad: [['', /string that is not empty/]] },
  version: { good: ['1.0', '0.9'], bad: [['', /string that is not empty/], [1, /string that is not empty/], ['\u0000', /XML cannot hold/]] }, // prettier-ignore
  xmlns: { good: ['urn:x'], bad: [['', /string that is not empty/], ['\ud800', /XML cannot hold/]] }, // prettier-ignore
  stream: { good: ['urn:x'], bad: [['', /string that is not empty/], ['\ufffe', /XML cannot hold/]] }, // prettier-ignore
  tls: {
    good: [{}, { policy: 'direct' }, { policy: 'disabled' }, { minVersion: 'TLSv1.3' }],
    bad: [
      [true, /tls must be an object, not a boolean$/],
      [false, /tls must be an object, not a boolean: without TLS is \{ policy: 'disabled' \}/],
      [{ policy: 'maybe' }, /tls\.policy must be 'required', 'preferred', 'direct' or 'disabled', not "maybe"/],
      [{ policy: 'required' }, /tls\.policy required is not possible with COMPONENT: use direct or disabled/],
      [{ ca: 'no pem' }, /tls\.ca has no certificate in PEM/],
      [{ passphrase: 1 }, /tls\.passphrase must be a string/],
      [{ rejectUnauthorized: false }, /tls\.rejectUnauthorized is no option; there are policy,/],
      [{ minVersion: 'TLSv1' }, /tls\.minVersion must be 'TLSv1.2' or 'TLSv1.3'/],
    ],
  },
  reconnect: {
    good: [
      true,
      false,
      {},
      { initial: true, firstDelayMs: 1, maxDelayMs: MS, resumeDelayMs: 1, maxAttempts: Infinity },
    ],
    bad: [
      ['yes', /true, false or an object/],
      [{ initial: 1 }, /reconnect\.initial must be true or false/],
      [{ firstDelayMs: 0 }, /reconnect\.firstDelayMs must be a whole number of milliseconds/],
      [{ maxDelayMs: MS + 1 }, /reconnect\.maxDelayMs/],
      [{ maxAttempts: 0 }, /reconnect\.maxAttempts/],
      [{ delay: 5 }, /reconnect\.delay is no option/],
    ],
  },
  timeouts: {
    good: [{}, ...TIMEOUTS.map((name) => ({ [name]: 1 })), { close: MS }],
    bad: [
      [5, /timeouts must be an object, not a number/],
      ...TIMEOUTS.flatMap((name): [unknown, RegExp][] =>
        [0, -1, 0.5, MS + 1, NaN, Infinity, '5'].map((bad) => [
          { [name]: bad },
          new RegExp(`timeouts\\.${name} must be`),
        ]),
      ),
      [{ dns: 5 }, /timeouts\.dns is no option/],
    ],
  },
  liveness: {
    good: [false, {}, { intervalMs: 1, timeoutMs: 1 }],
    bad: [
      [true, /false or an object/],
      [{ intervalMs: 0 }, /liveness\.intervalMs/],
      [{ pings: 1 }, /liveness\.pings is no option/],
    ],
  },
  limits: {
    good: [{}, { requests: 1, filterVisits: 1 }, ...Object.keys(DEFAULT_LIMITS).map((name) => ({ [name]: 1 }))],
    bad: [
      [[], /limits must be an object, not an array/],
      ...[...Object.keys(DEFAULT_LIMITS), 'requests', 'filterVisits', 'unsettled'].flatMap(
        (name): [unknown, RegExp][] =>
          [0, -1, 1.5, NaN, '7'].map((bad) => [{ [name]: bad }, new RegExp(`limits\\.${name} must be a whole number`)]),
      ),
      [{ stanzas: 5 }, /limits\.stanzas is no option/],
    ],
  },
  queue: {
    good: [
      {},
      { maxStanzas: 1, maxBytes: 1 },
      ...[1, 2 ** 33, Infinity].map((maxAgeMs) => ({ maxAgeMs })),
      ...['send', 'hold', 'drop', () => 'send'].map((onReady) => ({ onReady })),
      ...[true, false, () => true].map((purgeOnReady) => ({ purgeOnReady })),
      { purgeOnReady: undefined, onReady: 'send' },
      { store: { name: 'x', open: () => undefined }, name: 'q', keep: () => true },
      { maxFaults: 2 },
      ...[true, false, () => true].map((remotePurge) => ({ remotePurge })),
    ],
    bad: [
      [null, /queue must be an object, not null/],
      [{ maxStanzas: 0 }, /queue\.maxStanzas/],
      [{ maxBytes: '1' }, /queue\.maxBytes/],
      [{ purgeOnReady: 'yes' }, /queue\.purgeOnReady must be true, false or a function/],
      [{ onReady: true }, /queue\.onReady must be 'send', 'hold', 'drop' or a function of a ticket, not true/],
      [{ onReady: 'purge' }, /queue\.onReady must be 'send', 'hold', 'drop' or a function of a ticket, not "purge"/],
      [{ maxFaults: 1 }, /queue\.maxFaults must be a whole number, 2 or more, not 1/],
      [{ maxAgeMs: 0 }, /queue\.maxAgeMs must be a whole number, 1 or more/],
      [{ onReady: 'send', purgeOnReady: true }, /queue\.purgeOnReady is the old form of queue\.onReady/],
      [{ store: 'disk' }, /queue\.store must be a store, such as .*, not "disk"/],
      [{ store: { name: 'disk' } }, /queue\.store must be a store/],
      [{ name: '' }, /queue\.name must be a string that is not empty/],
      [{ remotePurge: 1 }, /queue\.remotePurge must be true, false or a function/],
      [{ keep: true }, /queue\.keep must be a function/],
      [{ persist: 'disk' }, /queue\.persist is no option/],
    ],
  },
  answerRequests: { good: [true, false], bad: [[1, /true or false/]] },
  acknowledge: { good: ['delivered', 'settled'], bad: [['done', /'delivered' or 'settled'|delivered or settled/]] },
  debug: { good: [true, false], bad: [['*', /true or false/]] },
  logger: {
    good: [false, console],
    bad: [
      [true, /logger must be false, or have the methods debug, info, warn and error, not true/],
      [{ warn: () => undefined }, /methods/],
    ],
  },
  connector: { good: [() => new Promise(() => undefined)], bad: [[{}, /a function that returns a Duplex/]] },
};

describe('every option', () => {
  for (const [name, { good, bad }] of Object.entries(TABLE)) {
    it(`${name}: is taken, or refused by name`, () => {
      for (const value of good) expect(problems({ [name]: value }), inspect(value)).toEqual([]);
      for (const [value, message] of bad) {
        const found = problems({ [name]: value });
        expect(found, inspect(value)).toHaveLength(1);
        expect(found[0]).toMatch(message);
        expect(found[0]).toMatch(new RegExp(`^${name}\\b`));
      }
    });
  }

  it('undefined is the same as left out', () => {
    const needed = ['connectionType', 'domain', 'password', 'port'];
    for (const name of Object.keys(TABLE)) {
      if (!needed.includes(name)) expect(problems({ [name]: undefined }), name).toEqual([]);
    }
  });
});

describe('modern 5: the option websocket', () => {
  const client = { connectionType: XMPP, host: undefined, port: undefined, domain: 'localhost', username: 'alice' };
  const wss = 'wss://example.org/xmpp-websocket?token=s3cret';

  it.each([
    [{ websocket: wss }],
    [{ websocket: wss, tls: { policy: 'required' } }],
    [{ websocket: { url: wss, headers: { Authorization: 'Bearer x', 'User-Agent': 'y', Origin: 'https://z' } } }],
    [{ websocket: 'ws://[::1]:5280/', tls: { policy: 'disabled' } }],
    [{ websocket: wss, connectionType: LEGACY, resource: 'desk' }],
    [{ websocket: 'discover' }],
  ])('is taken: %o', (options) => {
    expect(problems({ ...client, ...options })).toEqual([]);
  });

  it.each([
    [{ host: 'x' }, /^host has no meaning with websocket/],
    [{ port: 1 }, /^port has no meaning with websocket/],
    [{ connectionType: own }, /^websocket is not possible with OWN: only clients have it/],
    [{ tls: { policy: 'disabled' } }, /^tls\.policy disabled is not possible with a wss: URL/],
    [{ tls: { policy: 'preferred' } }, /^tls\.policy preferred is not possible with a wss: URL/],
    [{ websocket: 'discover', tls: { policy: 'disabled' } }, /^tls\.policy disabled is not possible with websocket: 'discover'/], // prettier-ignore
    [{ websocket: 'ws://example.org/' }, /^websocket: a ws: URL has no TLS; take a wss: one, or say/],
    [{ websocket: {} }, /^websocket\.url is missing/],
    [{ websocket: { url: 7 } }, /^websocket\.url must be a URL, not 7/],
    [{ websocket: { url: wss, headers: { 'a b': 'x' } } }, /^websocket\.headers has a name that no header can have/],
    [{ websocket: { url: wss, headers: { Host: 'x' } } }, /^websocket\.headers\.Host belongs to the request itself/],
    [{ websocket: { url: wss, headers: { 'sec-websocket-key': 'x' } } }, /belongs to the request itself/],
    [{ websocket: { url: wss, headers: { x: 'a\r\nb: s3cret' } } }, /^websocket\.headers\.x must be a text that a header can have$/], // prettier-ignore
    [{ websocket: { url: wss, headers: { x: 1 } } }, /^websocket\.headers\.x must be a text/],
    [{ websocket: { url: wss, protocol: 'x' } }, /^websocket\.protocol is no option/],
  ])('is refused: %o', (options, said) => {
    const found = problems({ ...client, websocket: wss, ...options });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(said);
    expect(found[0]).not.toContain('s3cret');
  });

  it('connect() takes neither host nor port beside it', async () => {
    const broker = new Broker({ ...client, password: 'x', logger: false, websocket: wss });
    brokers.push(broker);
    expect(() => broker.connect({ host: 'x' })).toThrow(/^connect\(\): host has no meaning with websocket/);
    expect(() => broker.connect({ port: 1 })).toThrow(/^connect\(\): port has no meaning with websocket/);
    await Promise.resolve();
  });

  it('shows no secret', () => {
    const websocket = { url: wss, headers: { Authorization: 'Bearer s3cret' } };
    const broker = new Broker({ ...client, password: 'x', logger: false, websocket });
    brokers.push(broker);
    expect(broker.config.websocket).toEqual({ url: 'wss://example.org/xmpp-websocket?…' });
    expect(inspect(broker, { depth: 12, showHidden: true })).not.toContain('s3cret');
  });
});

describe('what is missing', () => {
  it('is named, with what to do', () => {
    expect(() => new Broker({} as BrokerOptions)).toThrow(
      /^new Broker\(\): 2 problems:\n- connectionType is missing: pass XMPP, .*\n- domain is missing: pass/,
    );
    expect(problems({ password: undefined })).toEqual(['password is missing: COMPONENT needs it']);
    expect(problems({ port: undefined })).toEqual(['port is missing: COMPONENT needs it']);
    expect(problems({ connectionType: own, port: undefined })).toEqual(['port is missing: OWN has no default port']);
    expect(problems({ connectionType: { ...own, defaultPort: 7 }, port: undefined })).toEqual([]);
    expect(problems({ connectionType: LEGACY })).toEqual([
      'username is missing: LEGACY needs it',
      'resource is missing: LEGACY needs it',
    ]);
  });

  it('modern 2: what does not go with the dialect', () => {
    const connectionType = XMPP.with({ bind2: 'on' });
    const options = { connectionType, domain: 'localhost', username: 'alice', resource: 'desk' };
    expect(problems(options)).toEqual(['resource is not possible with XMPP as it is set up: the server makes it up']);
    expect(problems({ ...options, resource: undefined })).toEqual([]);
  });
});

describe('E2: a user name with the domain in it', () => {
  const account = { domain: 'localhost', host: undefined, port: undefined, resource: 'r' };

  it.each([
    [
      'alice@localhost',
      "username must be the part before the '@': say jid: 'alice@localhost', or username: 'alice', domain: 'localhost'",
    ],
    [
      'alice@chat.example',
      "username must be the part before the '@': say jid: 'alice@chat.example', or username: 'alice', domain: 'chat.example'",
    ],
    [
      'alice@',
      "username must be the part before the '@': say jid: 'alice@localhost', or username: 'alice', domain: 'localhost'",
    ],
  ])('%s is refused with the way out, by each dialect that has an account', (username, problem) => {
    for (const connectionType of [XMPP, LEGACY, { ...own, addressing: 'account' }]) {
      expect(problems({ ...account, connectionType, username })).toEqual([problem]);
    }
  });

  it('is taken where it is a name and no account', () => {
    const router = { connectionType: JABBERD20_COMPONENT, username: 'alice@localhost', port: 1 };
    expect(problems(router)).toEqual([]);
    expect(problems({ connectionType: JABBERD14_COMPONENT, username: 'alice@localhost' })).toEqual([]);
  });
});

describe('jid, in place of domain, username and resource', () => {
  const account = { connectionType: XMPP, domain: undefined, host: undefined, port: undefined };
  const said = (options: object) => {
    const { domain, username, resource, alias } = make({ ...account, ...options }).config;
    return { domain, username, resource, alias };
  };

  it.each<[string, object, object]>([
    ['an account', { jid: 'alice@example.org' }, { domain: 'example.org', username: 'alice' }],
    ['with a resource', { jid: 'alice@example.org/phone' }, { domain: 'example.org', username: 'alice', resource: 'phone' }], // prettier-ignore
    ['a JID', { jid: JID.parse('alice@example.org') }, { domain: 'example.org', username: 'alice' }],
    ['prepared', { jid: 'ALICE@Example.ORG' }, { domain: 'example.org', username: 'alice' }],
    ['an escaped name', { jid: 'd\\27artagnan@example.org' }, { domain: 'example.org', username: 'd\\27artagnan' }],
    ['a domain, with the name beside it', { jid: 'example.org', username: 'alice' }, { domain: 'example.org', username: 'alice' }], // prettier-ignore
    ['a resource beside it', { jid: 'a@example.org', resource: 'r' }, { domain: 'example.org', username: 'a', resource: 'r' }], // prettier-ignore
    ['the same twice', { jid: 'alice@example.org', username: 'Alice', domain: 'EXAMPLE.org' }, { domain: 'example.org', username: 'Alice' }], // prettier-ignore
    ['the same twice, escaped', { jid: 'd\\27artagnan@example.org', username: "d'artagnan" }, { domain: 'example.org', username: "d'artagnan" }], // prettier-ignore
    ['a component', { jid: 'echo.example.org', connectionType: JABBERD14_COMPONENT, port: 1 }, { domain: 'echo.example.org' }], // prettier-ignore
    ["the router's account beside a name", { jid: 'echo.example.org', connectionType: JABBERD20_COMPONENT, port: 1, username: 'jabberd' }, { domain: 'echo.example.org', username: 'jabberd' }], // prettier-ignore
  ])('%s', (_, options, expected) => {
    const { domain } = expected as { domain: string };
    expect(said(options)).toEqual({ username: undefined, resource: undefined, alias: domain, ...expected });
  });

  it.each<[object, string[]]>([
    [{ jid: 'a@b', domain: 'c' }, ['jid and domain differ: "b" and "c"; leave domain out']],
    [{ jid: 'a@b', username: 'c' }, ['jid and username differ: "a" and "c"; leave username out']],
    [{ jid: 'a@b/r', resource: 's' }, ['jid and resource differ: "r" and "s"; leave resource out']],
    [
      { jid: 'a@b', username: 'c', domain: 'd' },
      [
        'jid and domain differ: "b" and "d"; leave domain out',
        'jid and username differ: "a" and "c"; leave username out',
      ],
    ],
    [{ jid: 'example.org/r', connectionType: LEGACY }, ['username is missing: LEGACY needs it']],
    [{ jid: 'a@b', connectionType: LEGACY }, ['resource is missing: LEGACY needs it']],
    [{ jid: 'a b' }, [expect.stringMatching(/^jid is no JID: .*domain is wrong at character 2/) as string]],
    [{}, [expect.stringMatching(/^domain is missing: .*or jid/) as string]],
  ])('%j: what is wrong is told', (options, expected) => {
    expect(problems({ ...account, ...options })).toEqual(expected);
  });
});

describe('several problems', () => {
  it('are told in one error', () => {
    const found = problems({
      domain: '',
      port: 0,
      nonsense: 1,
      HOST: 'x',
      timeouts: { close: -1, nothing: 1 },
      limits: { depth: 0 },
      queue: { maxBytes: 0 },
      reconnect: { initial: 'yes' },
      tls: { policy: 'x' },
      logger: 1,
    });
    expect(found).toEqual([
      'port must be a whole number from 1 to 65535, not 0',
      'domain must be a string that is not empty, not ""',
      expect.stringMatching(/^logger must be/),
      expect.stringMatching(/^nonsense is no option; there are connectionType, jid, domain, host, port, .*connector$/),
      'HOST is no option; did you mean host?',
      expect.stringMatching(/^timeouts\.close must be/),
      expect.stringMatching(/^timeouts\.nothing is no option; there are resolve, connect, /),
      expect.stringMatching(/^limits\.depth must be/),
      expect.stringMatching(/^queue\.maxBytes must be/),
      expect.stringMatching(/^reconnect\.initial must be/),
      expect.stringMatching(/^tls\.policy must be/),
    ]);
    expect(() => make({ domain: '', port: 0 })).toThrow(/^new Broker\(\): 2 problems:\n- port must/);
    expect(() => make({ port: 0 })).toThrow(/^new Broker\(\): port must/);
  });

  it('docs/errors.md shows them as they are told', () => {
    const page = readFileSync('docs/errors.md', 'utf8');
    const [, shown] = /```text\n(new Broker\(\): .*?)\n```/s.exec(page) ?? [];
    const told = () => new Broker({ ...OPTIONS, pasword: 'x', timeouts: { close: -1 } } as BrokerOptions);
    expect(told).toThrow(expect.objectContaining({ message: shown }));
  });

  it('row 5: the spelling of an option counts', () => {
    expect(problems({ HOSTNAME: 'x' })).toEqual([expect.stringMatching(/^HOSTNAME is no option; there are/)]);
    expect(problems({ Username: 'x' })).toEqual(['Username is no option; did you mean username?']);
  });
});

describe('defaults', () => {
  it('are those that the declarations tell', () => {
    const { config } = make();
    expect(config).toMatchObject({
      domain: 'comp.localhost',
      alias: 'comp.localhost',
      version: undefined,
      xmlns: NS.COMPONENT_ACCEPT,
      stream: 'http://etherx.jabber.org/streams',
      tls: {},
      reconnect: {
        initial: false,
        firstDelayMs: 1_000,
        maxDelayMs: 300_000,
        resumeDelayMs: 1_000,
        maxAttempts: Infinity,
      },
      timeouts: { resolve: 5_000, connect: 10_000, tls: 10_000, stream: 10_000, auth: 30_000, bind: 10_000, attempt: 60_000, stanza: 60_000, close: 5_000, request: 30_000 }, // prettier-ignore
      limits: { ...DEFAULT_LIMITS, requests: 10_000 },
      queue: { maxStanzas: 10_000, maxBytes: 32 * 1024 * 1024, maxAgeMs: Infinity, onReady: 'hold', maxFaults: 3 },
      answerRequests: false,
      debug: false,
    });
  });

  it('come from the dialect, and options override them', () => {
    const account = { username: 'a', password: 'p', host: undefined, port: undefined };
    const client = make({ connectionType: XMPP, domain: 'Example.ORG', ...account }).config;
    expect(client).toMatchObject({ domain: 'example.org', version: '1.0', xmlns: NS.CLIENT, answerRequests: true });
    expect(client.host).toBeUndefined();
    expect(make({ connectionType: XMPP, ...account, host: 'h' }).config.port).toBe(5222);
    expect(make({ connectionType: XMPP, ...account, answerRequests: false }).config.answerRequests).toBe(false);
    expect(make({ version: '1.0', xmlns: 'urn:x', stream: 'urn:s' }).config).toMatchObject({
      version: '1.0',
      xmlns: 'urn:x',
      stream: 'urn:s',
    });
    expect(make({ reconnect: true }).config.reconnect).toEqual(make().config.reconnect);
    expect(make({ timeouts: { close: 7 } }).config.timeouts).toMatchObject({ close: 7, request: 30_000 });
  });
});

describe('S-API-10: options are data', () => {
  it('__proto__ is an unknown option, at every level, and changes nothing', () => {
    const text = (json: string) => JSON.parse(json) as object;
    for (const [options, name] of [
      [text('{"__proto__":{"debug":true}}'), '__proto__'],
      [{ timeouts: text('{"__proto__":{"close":1}}') }, 'timeouts.__proto__'],
      [{ limits: text('{"constructor":1}') }, 'limits.constructor'],
      [{ queue: text('{"toString":1}') }, 'queue.toString'],
      [{ tls: text('{"__proto__":{"policy":"direct"}}') }, 'tls.__proto__'],
    ] as const) {
      expect(problems(options)).toEqual([expect.stringContaining(`${name} is no option; there are `)]);
    }
    expect(Object.hasOwn(Object.prototype, 'debug')).toBe(false);
    expect(({} as { close?: number }).close).toBeUndefined();
  });

  it('what an object inherits is not read', () => {
    const inherited = Object.create({ debug: true, nonsense: 1 }) as object;
    const options = Object.assign(inherited, OPTIONS);
    const broker = new Broker(options);
    brokers.push(broker);
    expect(broker.config.debug).toBe(false);
  });

  it('each is read once, and later changes have no effect', () => {
    const read: string[] = [];
    const options = { ...OPTIONS, timeouts: { close: 5 } };
    const watched = new Proxy(options, {
      get(target, name, receiver) {
        if (typeof name === 'string') read.push(name);
        return Reflect.get(target, name, receiver) as unknown;
      },
    });
    const broker = new Broker(watched);
    brokers.push(broker);
    expect(read.filter((name, index) => read.indexOf(name) !== index)).toEqual([]);
    options.timeouts.close = 6;
    options.domain = 'other.localhost';
    expect(broker.config).toMatchObject({ domain: 'comp.localhost', timeouts: { close: 5 } });
  });

  it('the configuration is frozen', () => {
    const { config } = make({ tls: { policy: 'disabled' } });
    for (const part of [config, config.timeouts, config.limits, config.queue, config.reconnect, config.tls]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('no secret is in it', () => {
    const secret = 'c0rrect-h0rse';
    const broker = make({ password: secret });
    const everything = inspect(broker, { depth: 10, showHidden: true }) + JSON.stringify(broker.config);
    expect(everything).not.toContain(secret);
    expect('password' in broker.config).toBe(false);
    expect(problems({ password: secret, port: 0 }).join()).not.toContain(secret);
  });

  it('row 7: nothing is dialled by the constructor', () => {
    let dialled = 0;
    make({ connector: () => (dialled += 1) });
    expect(dialled).toBe(0);
  });
});
