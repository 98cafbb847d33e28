import { getEventListeners } from 'node:events';
import { promises as dns } from 'node:dns';
import { describe, expect, test, vi } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { MAX_TARGETS, resolve, type ResolveOptions } from '../../../src/dial/resolve.js';
import { systemResolver, type SrvResolver } from '../../../src/dial/resolver.js';
import type { SrvRecord } from '../../../src/dial/srv.js';
import { DnsStub } from './dns-stub.js';

const DIRECT = '_xmpps-client._tcp.example.org';
const STARTTLS = '_xmpp-client._tcp.example.org';
const SERVICES = [
  { srv: '_xmpps-client._tcp', tls: 'direct' },
  { srv: '_xmpp-client._tcp', tls: 'starttls' },
] as const;
const CLIENT: ResolveOptions = { services: SERVICES, fallbackPort: 5222 };

const srv = (name: string, port: number, priority = 0, weight = 0): SrvRecord => ({ name, port, priority, weight });
const dnsError = (code: string) => Object.assign(new Error(`querySrv ${code}`), { code });

/** Answers from a table; a string is the code of an error, what is not there does not exist. */
function stub(answers: Record<string, readonly SrvRecord[] | string>): SrvResolver & { asked: string[] } {
  const asked: string[] = [];
  const resolveSrv = (name: string) => {
    asked.push(name);
    const answer = answers[name] ?? 'ENOTFOUND';
    return typeof answer === 'string' ? Promise.reject(dnsError(answer)) : Promise.resolve(answer);
  };
  return { asked, resolveSrv };
}

const failure = async (pending: Promise<unknown>): Promise<BrokerError> => {
  const error: unknown = await pending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
};
const places = async (pending: ReturnType<typeof resolve>) =>
  (await pending).map(({ host, port, tls }) => `${host}:${port} ${tls}`);

describe('SRV records', () => {
  test('S-CONN-4: both services are one list in the order of priority', async () => {
    const resolver = stub({
      [DIRECT]: [srv('c.example.org', 5223, 20), srv('a.example.org', 443, 5)],
      [STARTTLS]: [srv('b.example.org', 5222, 10), srv('d.example.org', 5222, 30)],
    });
    expect(await resolve('example.org', { ...CLIENT, resolver })).toEqual([
      { host: 'a.example.org', port: 443, tls: 'direct', srv: '_xmpps-client._tcp' },
      { host: 'b.example.org', port: 5222, tls: 'starttls', srv: '_xmpp-client._tcp' },
      { host: 'c.example.org', port: 5223, tls: 'direct', srv: '_xmpps-client._tcp' },
      { host: 'd.example.org', port: 5222, tls: 'starttls', srv: '_xmpp-client._tcp' },
    ]);
    expect(resolver.asked.sort()).toEqual([STARTTLS, DIRECT].sort());
  });

  test.each([-1, 65_536, 0.5, NaN, '1', null])(
    'A-FLOW-6: a record with %j for a number is passed over',
    async (wrong) => {
      const number = wrong as number;
      const records = [srv('a', number), srv('b', 1, number), srv('c', 1, 0, number), srv('d', 1)];
      expect(await places(resolve('example.org', { ...CLIENT, resolver: stub({ [STARTTLS]: records }) }))).toEqual([
        'd:1 starttls',
      ]);
    },
  );

  test('S-CONN-4: equal priorities are drawn by weight across both services', async () => {
    const resolver = stub({ [DIRECT]: [srv('heavy', 1, 0, 90)], [STARTTLS]: [srv('light', 2, 0, 10)] });
    // Sorted by weight the running sums are 10 and 100; a point of 10 is the last of "light".
    const first = async (point: number) =>
      (await resolve('example.org', { ...CLIENT, resolver, random: () => point / 101 }))[0]?.host;
    expect(await first(0)).toBe('light');
    expect(await first(10.5)).toBe('light');
    expect(await first(11)).toBe('heavy');
    expect(await first(100.9)).toBe('heavy');
  });

  test('S-CONN-4: weight decides how often a record is first, and weight 0 is drawn seldom', async () => {
    const resolver = stub({ [STARTTLS]: [srv('zero', 1, 0, 0), srv('one', 1, 0, 25), srv('three', 1, 0, 75)] });
    const first: Record<string, number> = { zero: 0, one: 0, three: 0 };
    const steps = 101 * 4;
    for (let step = 0; step < steps; step += 1) {
      const [target] = await resolve('example.org', { ...CLIENT, resolver, random: () => step / steps });
      first[target!.host]! += 1;
    }
    expect(first).toEqual({ zero: 4, one: 100, three: 300 });
  });

  test('every record is listed once, whatever is drawn', async () => {
    const records = Array.from({ length: 12 }, (_, i) => srv(`h${String(i)}`, 5222, i % 3, (i * 7) % 5));
    const resolver = stub({ [STARTTLS]: records });
    let seed = 1;
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    for (let round = 0; round < 50; round += 1) {
      const targets = await resolve('example.org', { ...CLIENT, resolver, random });
      const priorities = targets.map(({ host }) => Number(host.slice(1)) % 3);
      expect(new Set(targets.map(({ host }) => host)).size).toBe(12);
      expect(priorities).toEqual([...priorities].sort());
    }
  });

  test('a random number of 1 or NaN does not lose a record', async () => {
    const resolver = stub({ [STARTTLS]: [srv('a', 1, 0, 1), srv('b', 1, 0, 1)] });
    for (const number of [1, NaN]) {
      expect(await resolve('example.org', { ...CLIENT, resolver, random: () => number })).toHaveLength(2);
    }
  });

  test('a record that both answers repeat is listed once, with its better priority', async () => {
    const resolver = stub({ [STARTTLS]: [srv('a', 5222, 9), srv('b', 5222, 5), srv('a', 5222, 1)] });
    expect(await places(resolve('example.org', { ...CLIENT, resolver }))).toEqual([
      'a:5222 starttls',
      'b:5222 starttls',
    ]);
  });

  test('A-FLOW-6: a thousand records are cut to the first in order', async () => {
    const records = Array.from({ length: 1000 }, (_, i) => srv(`h${String(i)}.example.org`, 5222, 1000 - i));
    const targets = await resolve('example.org', { ...CLIENT, resolver: stub({ [STARTTLS]: records }) });
    expect(targets).toHaveLength(MAX_TARGETS);
    expect(targets[0]?.host).toBe('h999.example.org');
    expect(targets.at(-1)?.host).toBe(`h${String(1000 - MAX_TARGETS)}.example.org`);
  });

  test('targets are written in A-labels, without the dot at the end', async () => {
    const resolver = stub({ [STARTTLS]: [srv('XMPP.Bücher.example.', 5222)] });
    expect(await places(resolve('example.org', { ...CLIENT, resolver }))).toEqual([
      'xmpp.xn--bcher-kva.example:5222 starttls',
    ]);
  });

  test('records without a usable host or port are left out; if none is left nothing is dialled', async () => {
    const bad = [
      srv('a b', 5222),
      srv('a\\.b.example', 5222),
      srv('h', 0),
      srv('h', 70000),
      { name: 'h' },
      null,
      srv('h/x', 1),
    ];
    const good = stub({ [STARTTLS]: [...(bad as SrvRecord[]), srv('good.example', 5222)] });
    expect(await places(resolve('example.org', { ...CLIENT, resolver: good }))).toEqual(['good.example:5222 starttls']);
    const error = await failure(
      resolve('example.org', { ...CLIENT, resolver: stub({ [STARTTLS]: bad as SrvRecord[] }) }),
    );
    expect(error).toMatchObject({ code: 'DNS_FAILED', layer: 'dns', phase: 'connect' });
  });
});

describe('denial', () => {
  test.each(['', '.'])(
    'S-CONN-1: the single target "." means no service, and no address is dialled (%j)',
    async (root) => {
      const resolver = stub({ [STARTTLS]: [srv(root, 0)] });
      const error = await failure(resolve('example.org', { ...CLIENT, resolver }));
      expect(error).toMatchObject({ code: 'DNS_SERVICE_DENIED', layer: 'dns', retryable: false });
      expect(error.message).toContain(STARTTLS);
    },
  );

  test('S-CONN-6: with xmpps denied, xmpp is used', async () => {
    const resolver = stub({ [DIRECT]: [srv('.', 0)], [STARTTLS]: [srv('x.example.org', 5222)] });
    expect(await places(resolve('example.org', { ...CLIENT, resolver }))).toEqual(['x.example.org:5222 starttls']);
  });

  test('S-CONN-6: with xmpps denied and no xmpp, the domain itself is not dialled', async () => {
    const error = await failure(resolve('example.org', { ...CLIENT, resolver: stub({ [DIRECT]: [srv('.', 0)] }) }));
    expect(error).toMatchObject({ code: 'DNS_SERVICE_DENIED', retryable: false });
  });

  test.each([
    ['ETIMEOUT', 'DNS_TIMEOUT'],
    ['ESERVFAIL', 'DNS_FAILED'],
  ])('S-CONN-6: one denied and the other unanswered (%s) may be tried later', async (code, expected) => {
    const resolver = stub({ [DIRECT]: [srv('.', 0)], [STARTTLS]: code });
    expect(await failure(resolve('example.org', { ...CLIENT, resolver }))).toMatchObject({
      code: expected,
      retryable: true,
    });
  });

  test('a "." beside real records is left out', async () => {
    const resolver = stub({ [STARTTLS]: [srv('.', 0), srv('x.example.org', 5222)] });
    expect(await places(resolve('example.org', { ...CLIENT, resolver }))).toEqual(['x.example.org:5222 starttls']);
  });
});

describe('the domain itself', () => {
  test('S-CONN-2: it is not dialled when SRV records exist', async () => {
    const resolver = stub({ [STARTTLS]: [srv('down.example.org', 1)], [DIRECT]: 'ESERVFAIL' });
    expect(await places(resolve('example.org', { ...CLIENT, resolver }))).toEqual(['down.example.org:1 starttls']);
  });

  test.each([
    ['ENOTFOUND', 'DNS_NOT_FOUND'],
    ['ENODATA', 'DNS_NOT_FOUND'],
    ['ESERVFAIL', 'DNS_FAILED'],
    ['EREFUSED', 'DNS_FAILED'],
    ['ETIMEOUT', 'DNS_TIMEOUT'],
  ])('S-CONN-3: it is dialled after %s, and the reason is kept as %s', async (code, expected) => {
    const resolver = stub({ [DIRECT]: code, [STARTTLS]: code });
    const [target, ...more] = await resolve('Example.ORG', { ...CLIENT, resolver });
    expect(more).toEqual([]);
    expect(target).toMatchObject({ host: 'example.org', port: 5222, tls: 'starttls', srv: null });
    expect(target?.srvErrors?.map((error) => [error.code, (error.cause as { code: string }).code])).toEqual([
      [expected, code],
      [expected, code],
    ]);
  });

  test('S-CONN-3: it is dialled after an empty answer', async () => {
    const [target] = await resolve('example.org', { ...CLIENT, resolver: stub({ [DIRECT]: [], [STARTTLS]: [] }) });
    expect(target).toMatchObject({ host: 'example.org', srv: null });
    expect(target?.srvErrors?.map(({ code }) => code)).toEqual(['DNS_NOT_FOUND', 'DNS_NOT_FOUND']);
  });

  test('S-CONN-3: it is dialled when the resolver throws, or answers nonsense', async () => {
    const thrower: SrvResolver = {
      resolveSrv: () => {
        throw new Error('broken');
      },
    };
    const liar = { resolveSrv: () => Promise.resolve('nonsense') } as unknown as SrvResolver;
    for (const resolver of [thrower, liar]) {
      expect(await places(resolve('example.org', { ...CLIENT, resolver }))).toEqual(['example.org:5222 starttls']);
    }
  });

  test('it is the target when no service is named, with the TLS mode that was asked for', async () => {
    const resolver = stub({});
    expect(await resolve('example.org', { services: [], fallbackPort: 5347, fallbackTls: 'direct', resolver })).toEqual(
      [{ host: 'example.org', port: 5347, tls: 'direct', srv: null }],
    );
    expect(resolver.asked).toEqual([]);
  });

  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['[2001:DB8::1]', '2001:db8::1'],
    ['::1', '::1'],
  ])('an IP address is asked nobody about: %s', async (domain, host) => {
    const resolver = stub({});
    expect(await resolve(domain, { ...CLIENT, resolver })).toEqual([{ host, port: 5222, tls: 'starttls', srv: null }]);
    expect(resolver.asked).toEqual([]);
  });

  test('an international domain is asked for in A-labels', async () => {
    const resolver = stub({});
    expect(await places(resolve('Bücher.example', { ...CLIENT, resolver }))).toEqual([
      'xn--bcher-kva.example:5222 starttls',
    ]);
    expect(resolver.asked).toContain('_xmpp-client._tcp.xn--bcher-kva.example');
  });
});

test.each([
  ['the later', [srv('a.example.org', 5222, 10), srv('b.example.org', 5222, 15), srv('a.example.org', 5222, 20)]],
  ['the earlier', [srv('a.example.org', 5222, 20), srv('b.example.org', 5222, 15), srv('a.example.org', 5222, 10)]],
])('S-CONN-4: of a place that comes twice, %s with less priority is left out', async (_which, records) => {
  const resolver = stub({ [STARTTLS]: records });
  expect(await places(resolve('example.org', { ...CLIENT, resolver }))).toEqual([
    'a.example.org:5222 starttls',
    'b.example.org:5222 starttls',
  ]);
});

test.each([undefined, null, 7, {}, ''])('A-FLOW-6: a record with %j for a name is passed over', async (name) => {
  const records = [{ ...srv('', 5222), name } as unknown as SrvRecord, srv('b.example.org', 5222)];
  const resolver = stub({ [STARTTLS]: records });
  expect(await places(resolve('example.org', { ...CLIENT, resolver }))).toEqual(['b.example.org:5222 starttls']);
});

describe('bad arguments', () => {
  test.each([
    '',
    '.',
    'a..b',
    'a b',
    'a/b',
    'a@b',
    'a:5222',
    'a%41',
    '-a.example',
    'a-.example',
    '127.1',
    '0x7f.1',
    '1',
    '\u0000',
    'a\\b',
    '[::1',
    '[127.0.0.1]',
    '１２７.0.0.1',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(127)}example`,
    'a'.repeat(5000),
    'ü/x',
  ])('the domain %j is refused', async (domain) => {
    const error = await failure(resolve(domain, CLIENT));
    expect(error).toMatchObject({ code: 'USAGE_DOMAIN', layer: 'usage', retryable: false });
    expect(error.message.length).toBeLessThan(400);
  });

  test.each([
    ['USAGE_PORT', { ...CLIENT, fallbackPort: 0 }],
    ['USAGE_PORT', { ...CLIENT, fallbackPort: 65536 }],
    ['USAGE_PORT', { ...CLIENT, fallbackPort: '5222' as unknown as number }],
  ])('%s', async (code, options: ResolveOptions) => {
    expect(await failure(resolve('example.org', options))).toMatchObject({ code, layer: 'usage' });
  });

  test('a domain that is no string is refused', async () => {
    expect(await failure(resolve(null as unknown as string, CLIENT))).toMatchObject({ code: 'USAGE_DOMAIN' });
  });
});

describe('time and abort', () => {
  const silent: SrvResolver = { resolveSrv: () => new Promise(() => undefined) };

  test('S-CONN-3: a silent resolver ends with the time, and the domain itself is dialled', async () => {
    const [target] = await resolve('example.org', { ...CLIENT, resolver: silent, timeoutMs: 20 });
    expect(target).toMatchObject({ host: 'example.org', srv: null });
    expect(target?.srvErrors?.map(({ code }) => code)).toEqual(['DNS_TIMEOUT', 'DNS_TIMEOUT']);
  });

  test('S-CONN-13: an abort ends it at once and leaves no listener', async () => {
    const controller = new AbortController();
    const pending = resolve('example.org', { ...CLIENT, resolver: silent, signal: controller.signal });
    const reason = new Error('enough');
    controller.abort(reason);
    const error = await failure(pending);
    expect(error).toMatchObject({ code: 'ABORTED', layer: 'dns', phase: 'connect', cause: reason });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('S-CONN-13: the reason of an abort is passed on if it is a BrokerError', async () => {
    const reason = new BrokerError('TIMEOUT', 'the whole attempt took too long', { layer: 'tcp' });
    expect(
      await failure(resolve('example.org', { ...CLIENT, resolver: silent, signal: AbortSignal.abort(reason) })),
    ).toBe(reason);
  });

  test('A-FLOW-6: a slow answer after an abort is ignored', async () => {
    let answer: (records: SrvRecord[]) => void = () => undefined;
    const resolver: SrvResolver = { resolveSrv: () => new Promise((done) => (answer = done)) };
    const controller = new AbortController();
    const pending = resolve('example.org', { ...CLIENT, resolver, signal: controller.signal });
    controller.abort();
    answer([srv('late.example.org', 5222)]);
    expect(await failure(pending)).toMatchObject({ code: 'ABORTED' });
  });
});

describe('the default resolver, against a DNS server on loopback', () => {
  test('S-CONN-4: asks for both services and reads their records', async () => {
    using server = await DnsStub.start({
      [DIRECT]: [{ priority: 1, weight: 0, port: 5223, target: 'a.example.org' }],
      [STARTTLS]: [{ priority: 0, weight: 5, port: 5222, target: 'b.example.org' }],
    });
    expect(
      await places(resolve('example.org', { ...CLIENT, resolver: systemResolver(5000, [server.server]) })),
    ).toEqual(['b.example.org:5222 starttls', 'a.example.org:5223 direct']);
    expect(new Set(server.questions)).toEqual(new Set([DIRECT, STARTTLS]));
  });

  test('a resolver of node:dns can be given as it is', async () => {
    using server = await DnsStub.start({
      [STARTTLS]: [{ priority: 0, weight: 5, port: 5222, target: 'b.example.org' }],
    });
    const resolver = new dns.Resolver();
    resolver.setServers([server.server]);
    expect(await places(resolve('example.org', { ...CLIENT, resolver }))).toEqual(['b.example.org:5222 starttls']);
  });

  test('S-CONN-1: the target "." on the wire', async () => {
    using server = await DnsStub.start({ [STARTTLS]: [{ priority: 0, weight: 0, port: 0, target: '.' }] });
    const error = await failure(resolve('example.org', { ...CLIENT, resolver: systemResolver(5000, [server.server]) }));
    expect(error).toMatchObject({ code: 'DNS_SERVICE_DENIED', retryable: false });
  });

  test.each([
    ['NXDOMAIN', 'DNS_NOT_FOUND'],
    ['SERVFAIL', 'DNS_FAILED'],
    ['REFUSED', 'DNS_FAILED'],
    ['garbage', 'DNS_FAILED'],
    ['silence', 'DNS_TIMEOUT'],
    ['CNAME loop', 'DNS_NOT_FOUND'],
  ] as const)('S-CONN-3, A-FLOW-6: %s is told apart as %s', async (answer, code) => {
    using server = await DnsStub.start({ [DIRECT]: answer, [STARTTLS]: answer });
    const timeoutMs = answer === 'silence' ? 300 : 5000;
    const [target] = await resolve('example.org', {
      ...CLIENT,
      resolver: systemResolver(timeoutMs, [server.server]),
      timeoutMs,
    });
    expect(target).toMatchObject({ host: 'example.org', srv: null });
    expect(target?.srvErrors?.map((error) => error.code)).toEqual([code, code]);
  });

  test('A-FLOW-6: a thousand records', async () => {
    const records = Array.from({ length: 1000 }, (_, i) => ({
      priority: i,
      weight: 0,
      port: 5222,
      target: `h${String(i)}.example.org`,
    }));
    using server = await DnsStub.start({ [STARTTLS]: records });
    const targets = await resolve('example.org', { ...CLIENT, resolver: systemResolver(5000, [server.server]) });
    expect(targets.map(({ host }) => host)).toEqual(records.slice(0, MAX_TARGETS).map(({ target }) => target));
  });

  test('S-CONN-13: an abort takes the question back', async () => {
    using server = await DnsStub.start({ [DIRECT]: 'silence', [STARTTLS]: 'silence' });
    const cancel = vi.spyOn(dns.Resolver.prototype, 'cancel');
    const controller = new AbortController();
    const pending = resolve('example.org', {
      ...CLIENT,
      resolver: systemResolver(5000, [server.server]),
      signal: controller.signal,
    });
    controller.abort();
    expect(await failure(pending)).toMatchObject({ code: 'ABORTED' });
    expect(cancel).toHaveBeenCalledOnce();
    cancel.mockRestore();
  });

  test('names below localhost are not asked for', async () => {
    using server = await DnsStub.start({});
    const targets = await resolve('echo.localhost', { ...CLIENT, resolver: systemResolver(5000, [server.server]) });
    expect(targets).toMatchObject([{ host: 'echo.localhost', port: 5222, srv: null }]);
    expect(server.questions).toEqual([]);
  });
});
