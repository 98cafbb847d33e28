// The command in a pseudo-terminal, as somebody types it, against real servers.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tableRows } from '../docs/support/markdown.js';
import { Workshop } from '../docs/support/workshop.js';
import { describeServer, Ejabberd, Jabberd2, Prosody, sharedServer, type TestServer } from './harness/index.js';
import { BrokenServers, KINDS, SECRET as RIGHT } from '../support/broken-servers.js';
import { PseudoTerminal } from './support/pseudo-terminal.js';

const workshop = new Workshop();
afterAll(() => {
  workshop[Symbol.dispose]();
});

const CTRL_C = '\u0003';
/** What begins a sequence for a terminal, and may stand in XML. */
const CSI = '\u009b';
/** What a terminal may be told to do. */
const ESC = '\u001b';

function typed(args: readonly string[], env: Record<string, string> = {}): PseudoTerminal {
  return new PseudoTerminal([process.execPath, join(workshop.path, 'src/cli/main.js'), ...args], env);
}

function at(server: TestServer, args: readonly string[], env: Record<string, string> = {}): PseudoTerminal {
  return typed([...args, ...place(server)], env);
}

const place = (server: TestServer): string[] => ['--host', server.host];
const account = (server: TestServer, name = 'alice'): string[] => [
  ...['--jid', `${name}@${server.domain}`, '--port', String(server.ports['starttls'])],
  ...['--ca', join(server.directory, 'tls/ca.pem')],
];
const SECRET = { XMPP_PASSWORD: 'secret' };

const STARTS: readonly (readonly [name: 'prosody' | 'ejabberd', start: () => Promise<TestServer>])[] = [
  ['prosody', () => Prosody.start()],
  ['ejabberd', () => Ejabberd.start()],
];
for (const [name, start] of STARTS) {
  describeServer(name, 'the command at a terminal', () => {
    const server = sharedServer(start);

    test('watch asks for the password, shows nothing of it, and prints in colour until Ctrl-C', async () => {
      const current = await server();
      await using watching = at(current, ['watch', ...account(current)]);
      await watching.shows(/password/i);
      watching.type('secret\r');
      await watching.shows(/PCJ_READY/);
      await using sending = at(
        current,
        ['send', '--to', `alice@${current.domain}`, '--body', `good ${CSI}31mmorning`, ...account(current, 'bob')],
        SECRET,
      );
      expect(await sending.ended, sending.screen).toBe(0);
      // What others send is text, and nothing that a terminal obeys.
      await watching.shows(/good .*morning/);
      expect(watching.screen).toContain(ESC);
      expect(watching.screen).not.toContain(CSI);
      expect(watching.screen).not.toContain('secret');
      watching.type(CTRL_C);
      expect(await watching.ended).toBe(0);
      expect(watching.screen).toContain('PCJ_SHUTDOWN_FINISH');
    });

    test('Ctrl-C at the question for the password ends it, and says what is missing', async () => {
      await using asked = at(await server(), ['watch', ...account(await server())]);
      await asked.shows(/password/i);
      asked.type(CTRL_C);
      expect(await asked.ended).toBe(1);
      expect(asked.screen).toContain('no password was given');
    });

    test('a password that is wrong', async () => {
      await using watching = at(await server(), ['watch', ...account(await server())]);
      await watching.shows(/password/i);
      watching.type('not the secret\r');
      expect(await watching.ended).toBe(1);
      expect(watching.screen).toContain('SASL_FAILURE');
      expect(watching.screen).not.toContain('not the secret');
    });

    test('request prints the answer', async () => {
      const current = await server();
      const ping = "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>";
      await using asking = at(current, ['request', ping, '--to', current.domain, ...account(current)], SECRET);
      expect(await asking.ended, asking.screen).toBe(0);
      expect(asking.screen).toMatch(/type=["']result["']/);
    });

    test('doctor ends in a verdict', async () => {
      const current = await server();
      await using examined = at(current, ['doctor', current.domain, ...account(current)], SECRET);
      expect(await examined.ended, examined.screen).toBe(0);
      expect(examined.screen).toMatch(/Verdict/);
      expect(examined.screen).toContain('the server answers');
    });
  });
}

describeServer('jabberd2', 'the command at a terminal', () => {
  const server = sharedServer(() => Jabberd2.start());

  test('doctor, for a component and for a service at the router', async () => {
    const current = await server();
    const port = ['--port', String(current.ports.router), '--no-tls'];
    for (const way of ['--component', '--router']) {
      await using examined = at(current, ['doctor', 'svc.localhost', way, ...port], SECRET);
      expect(await examined.ended, examined.screen).toBe(0);
      expect(examined.screen).toContain('signed in as svc.localhost');
    }
  });

  test('a secret of the router that is wrong', async () => {
    const current = await server();
    const port = ['--port', String(current.ports.router), '--no-tls'];
    await using examined = at(current, ['doctor', 'svc.localhost', '--router', ...port], {
      XMPP_PASSWORD: 'not the secret',
    });
    expect(await examined.ended).toBe(1);
    expect(examined.screen).toContain('SASL_FAILURE');
    expect(examined.screen).not.toContain('not the secret');
  });
});

describe('doctor at a terminal, broken servers', () => {
  let servers: BrokenServers;
  beforeAll(async () => {
    servers = await BrokenServers.create();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  const rows = tableRows('command.md', '### What it finds');

  test('the table has each kind', () => {
    expect(rows.map(([, what]) => what)).toEqual(KINDS);
  });

  // Each is a process of its own that waits for others most of the time.
  describe.concurrent('says cause and fix', { timeout: 120_000 }, () => {
    test.each(rows)('%s: %s', async (code = '', what = '', _side, change = '') => {
      const secrets = ['another secret', RIGHT];
      await using examined = typed(['doctor', ...(await servers.start(what))], { XMPP_PASSWORD: 'another secret' });
      expect(await examined.ended, examined.screen).toBe(1);
      const lines = examined.screen.trim().split('\r\n');
      expect(lines.at(-2)).toContain(`${what} (${code.replaceAll('`', '')})`);
      expect(lines.at(-1)).toContain(change);
      for (const secret of secrets) expect(examined.screen).not.toContain(secret);
    });
  });
});
