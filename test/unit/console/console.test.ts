import { request, type IncomingHttpHeaders } from 'node:http';
import { pathToFileURL } from 'node:url';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Broker, COMPONENT, xml } from 'xmpp-broker';
import { openConsole, type ConsoleOptions, type OpenConsole } from 'xmpp-broker/console';
import { openConsoleWith } from '../../../src/console/open-console.js';
import type { Message } from '../../../src/console/messages.js';
import { problemsOf, row } from '../support/bad-input.js';
import { EMPTY_OBJECTS, STRINGS } from '../support/bad-values.js';

const ACCOUNT = { connectionType: COMPONENT, host: '127.0.0.1', port: 1, password: 'secret', logger: false } as const;

const brokers: Broker[] = [];
const consoles: OpenConsole[] = [];
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-page-'));
  for (const name of ['index.html', 'page.js', 'page.css', 'icon.svg']) writeFileSync(join(folder, name), name);
});
afterEach(async () => {
  for (const one of consoles.splice(0)) await one.close();
  for (const broker of brokers.splice(0)) broker.halt();
});
afterAll(() => rmSync(folder, { recursive: true }));

function newBroker(name = 'echo.example.org'): Broker {
  const broker = new Broker({ ...ACCOUNT, jid: name, connector: () => new Promise(() => undefined) });
  brokers.push(broker);
  return broker;
}

async function open(given: Broker | Record<string, Broker> = newBroker(), options: ConsoleOptions = {}) {
  const opened = await openConsoleWith(given, options, pathToFileURL(`${folder}/`));
  consoles.push(opened);
  const { port, hash } = new URL(opened.url);
  return { opened, port: Number(port), token: hash.slice(1) };
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** One request, to its end. */
function ask(port: number, { path = '/', method = 'GET', headers = {}, body }: Asked = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    asked.on('error', reject).end(body);
  });
}

/** An order as the page gives it. */
const order = (port: number, token: string, name: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(port, {
    path: `/api/${name}`,
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, Origin: `http://127.0.0.1:${String(port)}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

/** Messages of a stream, up to one of a kind. */
function stream(port: number, token: string, query: string, until: (message: Message) => boolean): Promise<Message[]> {
  return new Promise((resolve, reject) => {
    const messages: Message[] = [];
    const headers = { Authorization: `Bearer ${token}` };
    const asked = request({ host: '127.0.0.1', port, path: `/api/stream?${query}`, headers }, (response) => {
      let rest = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        const events = (rest + piece).split('\n\n');
        rest = events.pop() ?? '';
        for (const event of events) {
          const message = JSON.parse(event.replace('data: ', '')) as Message;
          messages.push(message);
          if (!until(message)) continue;
          asked.destroy();
          resolve(messages);
        }
      });
    });
    asked.on('error', reject).end();
  });
}

const get = (port: number, path: string, headers: Record<string, string> = {}) => ask(port, { path, headers });

describe('who may talk to a console', () => {
  it('serves the page to anybody on this machine, and nothing else', async () => {
    const { port } = await open();
    for (const [path, type] of [
      ['/', 'text/html'],
      ['/page.js', 'text/javascript'],
      ['/page.css', 'text/css'],
      ['/icon.svg', 'image/svg+xml'],
    ] as const) {
      const { status, headers } = await get(port, path);
      expect({ status, type: headers['content-type']?.split(';')[0] }).toEqual({ status: 200, type });
    }
    for (const path of [
      '/index.html',
      '/../package.json',
      '/%2e%2e/package.json',
      '//etc/passwd',
      '/__proto__',
      '/api',
    ]) {
      expect((await get(port, path)).status, path).toBe(404);
    }
    expect((await ask(port, { method: 'POST' })).status).toBe(404);
  });

  it('sends the headers that keep everything else out of the page', async () => {
    const { port } = await open();
    for (const path of ['/', '/nowhere', '/api/stream']) {
      const { headers } = await get(port, path);
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("require-trusted-types-for 'script'");
      expect(policy).not.toContain('unsafe');
      expect(policy).not.toMatch(/https?:|\*/);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  it('answers under no name that somebody else could give it', async () => {
    const { port, token } = await open();
    const headers = { Authorization: `Bearer ${token}` };
    for (const host of [
      'evil.example.org',
      `evil.example.org:${String(port)}`,
      'localhost.evil.example.org',
      '127.0.0.1.evil.example.org',
      'localhost:1:2',
      'a b',
    ]) {
      const { status, body } = await get(port, '/', { ...headers, Host: host });
      expect({ host, status }).toEqual({ host, status: host === 'a b' ? status : 421 });
      expect(body).not.toContain('index.html');
    }
    for (const host of ['localhost', 'LOCALHOST:80', `127.0.0.1:${String(port)}`, '[::1]:9']) {
      expect((await get(port, '/', { Host: host })).status, host).toBe(200);
    }
  });

  it('answers to no page but its own', async () => {
    const { port, token } = await open();
    const own = `http://127.0.0.1:${String(port)}`;
    for (const origin of [
      'http://evil.example.org',
      'null',
      `https://127.0.0.1:${String(port)}`,
      'http://127.0.0.1:1',
      `${own}.evil.example.org`,
    ]) {
      const { status, body } = await order(
        port,
        token,
        'send',
        { broker: 'echo.example.org', xml: '<presence/>' },
        { Origin: origin },
      );
      expect({ origin, status, code: (JSON.parse(body) as { code: string }).code }).toEqual({
        origin,
        status: 403,
        code: 'wrong-origin',
      });
    }
    expect((await get(port, '/', { 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403);
    expect((await get(port, '/', { 'Sec-Fetch-Site': 'same-site' })).status).toBe(403);
    const none = await ask(port, {
      path: '/api/send',
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
      body: '{}',
    });
    expect(none.status).toBe(403);
  });

  it('wants its token for everything but the page, and has another one each time', async () => {
    const { port, token } = await open();
    const other = await open();
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(other.token).not.toBe(token);
    for (const given of [
      '',
      'Bearer',
      'Bearer x',
      `Bearer ${other.token}`,
      `Bearer ${token}x`,
      `Basic ${token}`,
      token,
      `Bearer ${'a'.repeat(5_000)}`,
    ]) {
      const headers = { Authorization: given, Origin: `http://127.0.0.1:${String(port)}` };
      expect((await get(port, '/api/stream', headers)).status, given).toBe(401);
      expect((await ask(port, { path: '/api/queue', method: 'POST', headers, body: '{}' })).status, given).toBe(401);
    }
    expect((await get(port, `/api/stream?token=${token}`)).status).toBe(401);
  });

  it('only looks when it is read-only', async () => {
    const broker = newBroker();
    broker.output(xml('presence', { to: 'a@b', from: 'echo.example.org' }));
    const { port, token } = await open(broker, { readOnly: true });
    for (const name of ['send', 'queue']) {
      const { status, body } = await order(port, token, name, {
        broker: 'echo.example.org',
        action: 'drop',
        ids: [1],
        xml: '<presence/>',
      });
      expect({ status, code: (JSON.parse(body) as { code: string }).code }).toEqual({ status: 403, code: 'read-only' });
    }
    expect(broker.queue.size).toBe(1);
    const tried = await order(port, token, 'try', {
      broker: 'echo.example.org',
      xpath: '/presence',
      stanzas: ['<presence/>'],
    });
    expect(JSON.parse(tried.body)).toMatchObject({ results: [{ matches: true }] });
  });
});

describe('orders', () => {
  it.each([
    ['send', '{', 400],
    ['send', '[]', 404],
    ['send', 'null', 400],
    ['send', { broker: 'x' }, 404],
    ['send', { broker: '__proto__' }, 404],
    ['send', { broker: 'echo.example.org' }, 400],
    ['send', { broker: 'echo.example.org', xml: '<presence' }, 400],
    ['send', { broker: 'echo.example.org', xml: {} }, 400],
    ['queue', { broker: 'echo.example.org', action: 'drop' }, 400],
    ['queue', { broker: 'echo.example.org', action: 'halt', ids: [] }, 400],
    ['queue', { broker: 'echo.example.org', action: 'drop', ids: ['1'] }, 400],
    ['try', { broker: 'echo.example.org', xpath: '//[', stanzas: [] }, 400],
    ['try', { broker: 'echo.example.org', xpath: 7, stanzas: [] }, 400],
    ['try', { broker: 'echo.example.org', xpath: '/a', namespaces: 'x', stanzas: [] }, 400],
    ['try', { broker: 'echo.example.org', xpath: '/a', stanzas: [7] }, 400],
    ['explain', { broker: 'echo.example.org', index: 0, event: 'e' }, 400],
    ['constructor', {}, 404],
    ['stream', {}, 404],
  ])('%s %j is refused', async (name, body, status) => {
    const { port, token } = await open();
    const reply = await order(port, token, name, body);
    expect(reply.status).toBe(status);
    expect(JSON.parse(reply.body)).toEqual({
      code: expect.any(String) as string,
      error: expect.any(String) as string,
      offset: expect.toSatisfy((at: unknown) => at === null || typeof at === 'number') as number,
    });
  });

  it('takes none that is too long', async () => {
    const { port, token } = await open();
    const many = Array.from({ length: 201 }, () => '<a/>');
    const tried = { broker: 'echo.example.org', xpath: '/a', stanzas: many };
    expect((await order(port, token, 'try', tried)).status).toBe(400);
    const long = { ...tried, xpath: 'a'.repeat(4_097), stanzas: [] };
    expect((await order(port, token, 'try', long)).status).toBe(400);
    const reply = await order(port, token, 'send', '{}', { 'Content-Length': '5000000' }).catch(() => ({
      status: 413,
    }));
    expect(reply.status).toBe(413);
  });

  it('sends and drops what is named, and no other', async () => {
    const broker = newBroker();
    const tickets = ['a', 'b', 'c'].map((to) =>
      broker.output(xml('presence', { to: `${to}@b`, from: 'echo.example.org' })),
    );
    const { port, token } = await open(broker);
    const { body } = await order(port, token, 'queue', {
      broker: 'echo.example.org',
      action: 'drop',
      ids: [tickets[1]?.id],
    });
    expect(JSON.parse(body)).toEqual({ done: 1 });
    expect(tickets.map(({ state }) => state)).toEqual(['queued', 'dropped', 'queued']);
  });

  it('explains the filter at a place, if it is still there', async () => {
    const broker = newBroker();
    broker.filters.add('a', '/message');
    broker.filters.add('b', '/presence');
    const { port, token } = await open(broker);
    const ordered = (index: number, event: string) =>
      order(port, token, 'explain', { broker: 'echo.example.org', index, event });
    expect(JSON.parse((await ordered(1, 'b')).body)).toMatchObject({ filters: [{ expression: '/presence' }] });
    broker.filters.remove('a');
    expect((await ordered(1, 'b')).status).toBe(400);
  });
});

describe('the stream', () => {
  it('subscribes to nothing that comes with stanzas before a page is open, and gives it back', async () => {
    const broker = newBroker();
    const { port, token } = await open(broker);
    const traffic = [
      'PCJ_NODERECEIVED',
      'PCJ_NODESENT',
      'PCJ_NODEQUEUED',
      'PCJ_RTS_START',
      'PCJ_RTS_FINISH',
      'PCJ_RTS_FAIL',
      'PCJ_SM_ACK',
      'PCJ_HANDLERERROR',
    ];
    const subscribers = () => traffic.map((event) => broker.events.subscribers(event));
    expect(subscribers()).toEqual(traffic.map(() => 0));
    await stream(port, token, '', ({ kind }) => {
      if (kind === 'filters') expect(Math.min(...subscribers())).toBe(1);
      return kind === 'filters';
    });
    await expect.poll(subscribers).toEqual(traffic.map(() => 0));
    expect(broker.filters.size).toBe(0);
  });

  it('tells how everything stands at once', async () => {
    const echo = newBroker();
    const peer = newBroker('peer.example.org');
    echo.filters.add('greeting', '/message');
    const ticket = peer.output(xml('message', { to: 'a@b', from: 'peer.example.org' }, xml('body', {}, 'hello')));
    const { port, token } = await open({ echo, peer });
    const messages = await stream(port, token, 'broker=peer', ({ kind }) => kind === 'filters');
    expect(messages.map(({ kind }) => kind)).toEqual([
      'hello',
      'brokers',
      'timeline',
      'store',
      'requests',
      'queue',
      'filters',
    ]);
    expect(messages[0]).toMatchObject({
      broker: 'peer',
      readOnly: false,
      facts: [
        ['account', 'peer.example.org'],
        ['dialect', 'JABBERD14_COMPONENT'],
        ['server', '127.0.0.1:1'],
      ],
    });
    expect(messages[1]).toMatchObject({
      list: [
        { name: 'echo', state: 'idle', held: 0 },
        { name: 'peer', held: 1 },
      ],
    });
    expect(messages[5]).toMatchObject({ total: 1, list: [{ id: ticket.id, title: 'message', to: 'a@b' }] });
  });

  it.each(['xpath=%2F%2F%5B', 'xpath=%2Fx%3Aa', 'broker=nobody'])('refuses %s', async (query) => {
    const { port, token } = await open();
    const { status } = await get(port, `/api/stream?${query}`, { Authorization: `Bearer ${token}` });
    expect(status).toBe(query.startsWith('broker') ? 404 : 400);
  });

  it('ends with the console', async () => {
    const { opened, port, token } = await open();
    const ended = get(port, '/api/stream', { Authorization: `Bearer ${token}` });
    await expect.poll(() => brokers[0]?.events.subscribers('PCJ_NODESENT')).toBe(1);
    await opened.close();
    expect((await ended).status).toBe(200);
    await opened.close();
    expect(brokers[0]?.events.subscribers('PCJ_READY')).toBe(0);
    await expect(get(port, '/')).rejects.toThrow('ECONNREFUSED');
  });

  it('brings what was counted before, and then more', async () => {
    const { port, token } = await open();
    const points = (messages: Message[]) => messages.flatMap((one) => (one.kind === 'points' ? one.list : []));
    const first = points(await stream(port, token, '', ({ kind }) => kind === 'points'));
    let told = 0;
    const second = points(await stream(port, token, '', ({ kind }) => kind === 'points' && (told += 1) === 2));
    expect(second.slice(0, first.length)).toEqual(first);
    expect(second.length).toBeGreaterThan(first.length);
    expect(second[0]).toMatchObject({ stanzasIn: 0, answers: 0 });
  });

  it('ends when something cannot be told, and the program goes on', async () => {
    const broker = newBroker();
    const { port, token } = await open(broker);
    const ended = get(port, '/api/stream', { Authorization: `Bearer ${token}` });
    await expect.poll(() => broker.events.subscribers('PCJ_NODESENT')).toBe(1);
    Object.defineProperty(broker, 'pending', {
      get: () => {
        throw new Error('a fault of ours');
      },
    });
    expect((await ended).body).toContain('"kind":"brokers"');
    expect(broker.events.subscribers('PCJ_NODESENT')).toBe(0);
    expect((await get(port, '/')).status).toBe(200);
  });

  it('has a bound for open pages', async () => {
    const { port, token } = await open();
    const headers = { Authorization: `Bearer ${token}` };
    const pages = Array.from({ length: 16 }, () => get(port, '/api/stream', headers).catch(() => undefined));
    await expect.poll(() => brokers[0]?.events.subscribers('PCJ_NODESENT')).toBe(16);
    expect((await get(port, '/api/stream', headers)).status).toBe(503);
    for (const one of consoles) await one.close();
    await Promise.all(pages);
  });
});

describe('openConsole', () => {
  it('shows a broker that was halted', async () => {
    const broker = newBroker();
    broker.halt();
    const { port, token } = await open(broker);
    const messages = await stream(port, token, '', ({ kind }) => kind === 'filters');
    expect(messages[1]).toMatchObject({ list: [{ state: 'halted' }] });
  });

  it('says which port cannot be had, and leaves nothing behind', async () => {
    const { port } = await open();
    const broker = newBroker();
    await expect(openConsole(broker, { port })).rejects.toMatchObject({
      code: 'CONSOLE_LISTEN',
      message: expect.stringContaining(String(port)) as string,
    });
    expect(broker.events.subscribers('PCJ_READY')).toBe(0);
  });

  it('tells when the page was not built', async () => {
    const opened = await openConsole(newBroker());
    consoles.push(opened);
    const { status, body } = await get(Number(new URL(opened.url).port), '/page.js');
    expect({ status, code: (JSON.parse(body) as { code: string }).code }).toEqual({ status: 500, code: 'no-page' });
  });

  it.each([
    row('openConsole(brokers)', /a Broker/, [], (value) => openConsole(value)),
    row('openConsole(…, options)', /^openConsole\(\): /, ['undefined', ...EMPTY_OBJECTS], (value) =>
      keep(openConsole(newBroker(), value)),
    ),
    row('openConsole(…, { port })', /port/, ['undefined', 'one'], (port) => keep(openConsole(newBroker(), { port }))),
    row('openConsole(…, { host })', /host/, ['undefined', ...STRINGS.slice(1)], (host) =>
      keep(openConsole(newBroker(), { host })),
    ),
    row('openConsole(…, { readOnly })', /readOnly/, ['undefined', 'true', 'false'], (readOnly) =>
      keep(openConsole(newBroker(), { readOnly })),
    ),
  ])('$call refuses what is wrong', async (one) => {
    expect(await problemsOf(one)).toEqual([]);
  });
});

/** A console that was opened all the same is closed. */
async function keep(opening: Promise<OpenConsole>): Promise<void> {
  consoles.push(await opening);
}
