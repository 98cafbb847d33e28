import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../../src/cli/doctor/advice.js';
import { findPlaces } from '../../../src/cli/doctor/places.js';
import type { Plan } from '../../../src/cli/doctor/plan.js';
import { Report } from '../../../src/cli/doctor/report.js';
import { XMPP } from '../../../src/protocols/xmpp.js';
import { tableRows } from '../../docs/support/markdown.js';
import { at, BrokenServers, KINDS, SECRET } from '../../support/broken-servers.js';
import { command, TestTerminal } from './terminal.js';

let servers: BrokenServers;

beforeAll(async () => {
  servers = await BrokenServers.create();
});
afterEach(() => servers.stop());
afterAll(() => servers[Symbol.asyncDispose]());

/** What it says in the end. */
function verdictIn(out: string): { works: boolean; signedIn: boolean | null; problems: readonly Problem[] } {
  const lines = out.trim().split('\n');
  return JSON.parse(lines.at(-1) ?? '') as ReturnType<typeof verdictIn>;
}

describe('doctor, broken servers', () => {
  const rows: string[][] = [];

  it.each(KINDS)('%s', async (what) => {
    const args = await servers.start(what);
    const env = { XMPP_PASSWORD: 'another secret' };
    const { code, out, err } = await command(['doctor', ...args, '--json'], env);
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).not.toMatch(/another secret|nobody is to see/);
    const { works, problems } = verdictIn(out);
    expect(works).toBe(false);
    const [problem] = problems;
    expect(problems).toHaveLength(1);
    expect(problem).toMatchObject({ what });
    rows.push([`\`${problem?.code ?? ''}\``, what, problem?.side ?? '', problem?.change ?? '']);
    // The same for people: cause and fix are the last words.
    const text = (await command(['doctor', ...args], env)).out;
    expect(text).toContain(`${what} (${problem?.code ?? ''})`);
    expect(text.trim().split('\n').at(-1)).toContain(problem?.change);
    expect(text).not.toMatch(/another secret|nobody is to see/);
  });

  it('docs/command.md has exactly that', () => {
    expect(tableRows('command.md', '### What it finds')).toEqual(rows);
  });
});

describe('doctor, servers that work', () => {
  const env = { XMPP_PASSWORD: SECRET };

  it('an account: chain, pin, mechanisms, channel binding, what would be used, features, and the sign-in', async () => {
    const { ports } = await servers.loopback({ sasl2: {} });
    const args = ['localhost', ...at(ports.client), ...servers.ours, '--jid', 'juliet@localhost'];
    const { code, out } = await command(['doctor', ...args], env);
    expect(code).toBe(0);
    for (const text of [
      'TCP to 127.0.0.1:',
      'STARTTLS is offered',
      'TLSv1.3',
      'certificate 1: CN=broker.test; from CN=Test authority',
      'names: DNS:localhost',
      'days left',
      'trusted by DNS:localhost',
      'SASL offers SCRAM-SHA-512-PLUS',
      'channel bindings: tls-exporter, tls-server-end-point',
      'a program uses SCRAM-SHA-512-PLUS by SASL2, bound by tls-exporter',
      'signed in as juliet@localhost/',
      'stream management is resumable',
      'the server answers',
      'can be connected to, and signed in to',
    ]) {
      expect(out).toContain(text);
    }
    // The pin is one to copy.
    const [, pin = ''] = /pin: (\S{43}=)\n/.exec(out) ?? [];
    const pinned = await command(['doctor', 'localhost', ...at(ports.client), '--pin', pin]);
    expect(pinned.out).toContain(`trusted by PIN:${pin}`);
    expect(pinned.code).toBe(0);
  });

  it('a server that is not trusted is looked at all the same, and is sent no password', async () => {
    const started = await servers.loopback();
    const said: string[] = [];
    started.subscribe('received', ({ element }) => said.push(element.toString()));
    const args = ['localhost', ...at(started.ports.client), '--jid', 'juliet@localhost'];
    const { out } = await command(['doctor', ...args], env);
    expect(out).toContain('not trusted: ');
    expect(out).toContain('a program uses SCRAM-SHA-512-PLUS');
    expect(said.join('')).not.toMatch(/<auth/);
  });

  it('TLS from the start, WebSocket, a component and the router', async () => {
    const components = { 'echo.localhost': SECRET, 'echo.broker.test': SECRET };
    const started = await servers.loopback({ components, routerUsers: { jabberd: SECRET } });
    const { ports } = started;
    const account = ['--jid', 'juliet@localhost', ...servers.ours];
    for (const args of [
      ['localhost', ...at(ports.clientDirectTls), '--direct-tls', ...account],
      ['localhost', '--websocket', `wss://localhost:${String(ports.websocketTls)}/?token=hidden`, ...account],
      [
        'localhost',
        '--websocket',
        `ws://localhost:${String(ports.websocket)}/`,
        '--no-tls',
        '--jid',
        'juliet@localhost',
      ],
      ['echo.localhost', '--component', ...at(ports.component)],
      ['echo.broker.test', '--component', ...at(ports.componentDirectTls), '--direct-tls', ...servers.ours],
      ['service.broker.test', '--router', ...at(ports.router), ...servers.ours],
    ]) {
      const { code, out, err } = await command(['doctor', ...args, '--json'], env);
      expect({ args, code, err, ...verdictIn(out) }).toMatchObject({ code: 0, err: '', signedIn: true, problems: [] });
      expect(out).not.toContain('hidden');
    }
  });

  it('without anybody to sign in', async () => {
    const { ports } = await servers.loopback({ components: { 'echo.localhost': SECRET } });
    const known = await command(['doctor', 'echo.localhost', '--component', ...at(ports.component)]);
    expect(known.code).toBe(0);
    expect(known.out).toContain('not tried: there is no secret');
    expect(known.out).toContain('signing in was not tried');
    const account = await command(['doctor', 'localhost', ...at(ports.client), ...servers.ours]);
    expect(account.code).toBe(0);
    expect(account.out).toContain('not tried: there is no --jid');
  });

  it.each([
    [['juliet@localhost'], 'doctor takes a domain'],
    [['localhost', '--jid', 'juliet@example.org'], 'no account of localhost'],
    [['localhost', '--timeout', 'soon'], '--timeout takes seconds'],
    [['localhost', '--websocket', 'wss://x', '--component'], '--websocket goes with neither'],
    [['localhost', '--websocket', 'http://x'], 'wss: URL'],
    [[], 'takes DOMAIN'],
  ])('%j is refused', async (args, text) => {
    const { code, err } = await command(['doctor', ...args]);
    expect(err).toContain(text);
    expect(code).toBe(2);
  });

  it('ends when it is interrupted', async () => {
    const silent = await servers.listen(createServer((socket) => socket.resume()));
    const terminal = new TestTerminal();
    const ended = terminal.run('doctor', 'localhost', '--host', '127.0.0.1', '--port', String(silent));
    await terminal.wrote(/Looking at/);
    terminal.interrupt();
    expect(await ended).toMatchObject({ code: 1, err: 'xmpp-broker: ended by SIGINT\n' });
  });
});

describe('doctor, SRV records', () => {
  const plan: Plan = {
    kind: 'client',
    domain: 'example.org',
    dialect: XMPP,
    host: undefined,
    port: undefined,
    websocket: undefined,
    tls: {},
    timeoutMs: 2_000,
  };
  const gone = (): Promise<never> => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));

  async function find(records: Readonly<Record<string, { name: string; port: number }[]>>) {
    const terminal = new TestTerminal();
    const lines: string[] = [];
    const report = new Report(false, { colour: terminal.colour, out: (line) => lines.push(line) });
    const found = await findPlaces(plan, report, {
      signal: terminal.signal,
      resolver: {
        resolveSrv: (name) => {
          const some = records[name.split('.')[0] ?? ''];
          return some === undefined
            ? gone()
            : Promise.resolve(some.map((one, place) => ({ ...one, priority: place, weight: 5 })));
        },
      },
      lookup: (host) => (host === 'gone.example.org' ? gone() : Promise.resolve([{ address: '127.0.0.1', family: 4 }])),
    });
    return { ...found, text: lines.join('\n') };
  }

  it('shows each record, and tries each address', async () => {
    const open = await servers.listen(createServer((socket) => socket.destroy()));
    const { places, problems, text } = await find({
      '_xmpp-client': [
        { name: 'gone.example.org', port: 5222 },
        { name: 'xmpp.example.org', port: open },
        { name: 'shut.example.org', port: 1 },
      ],
    });
    expect(places.map(({ target, address }) => [target.host, address])).toEqual([['xmpp.example.org', '127.0.0.1']]);
    expect(problems.map(({ what }) => what)).toEqual(['name not found', 'closed port']);
    expect(text).toContain('SRV _xmpps-client._tcp.example.org, TLS at once: no such record');
    expect(text).toContain(`xmpp.example.org:${String(open)} (priority 1, weight 5)`);
  });

  it('a domain that has no such service', async () => {
    const { places, problems } = await find({ '_xmpp-client': [{ name: '', port: 0 }] });
    expect(places).toEqual([]);
    expect(problems).toMatchObject([{ what: 'the domain has no such service', side: 'DNS' }]);
  });
});
