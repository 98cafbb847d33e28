import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Broker, COMPONENT, StanzaError, xml } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { COMMANDS } from '../../../src/cli/commands/index.js';
import { command, TestTerminal } from './terminal.js';

describe('the command line', () => {
  test('--help lists every command, and each tells its options', async () => {
    const { code, out } = await command(['--help']);
    expect(code).toBe(0);
    for (const { name, summary, options } of COMMANDS) {
      expect(out).toContain(`xmpp-broker ${name}`);
      expect(out).toContain(summary);
      const help = await command([name, '--help']);
      expect(help).toMatchObject({ code: 0, err: '' });
      for (const option of [...Object.keys(options), 'json', 'help']) expect(help.out).toContain(`--${option}`);
    }
  });

  test('--version is the version', async () => {
    expect(await command(['--version'])).toEqual({ code: 0, out: '1.2.3\n', err: '' });
  });

  test.each([
    [[], 'xmpp-broker watch', 'out'],
    [['wach'], 'did you mean watch?', 'err'],
    [['nonsense-of-some-length'], 'see xmpp-broker --help', 'err'],
    [['watch', '--jidd', 'x'], 'there is no option --jidd; did you mean --jid?; see', 'err'],
    [['serve', '--nonsense'], 'there is no option --nonsense; see', 'err'],
    [['watch'], '--jid is missing', 'err'],
    [['watch', '--jid', 'juliet@example.org'], 'there is no password: set XMPP_PASSWORD', 'err'],
    [['watch', '--jid', 'juliet@example.org', '--password-file', '/nowhere/x'], 'cannot be read (ENOENT)', 'err'],
    [['explain'], 'takes EXPRESSION [FILE]', 'err'],
    [['explain', '//['], 'xpath', 'none'],
    [['explain', '/message', '/nowhere/x'], 'cannot be read (ENOENT)', 'err'],
    [['serve', '--account', 'juliet'], '--account takes NAME:SECRET', 'err'],
    [['serve', '--component-port', '0'], 'must be a number from 1 to 65535', 'err'],
    [['completion', 'tcsh'], 'bash, zsh, fish', 'err'],
  ] as const)('%j is refused with the way out', async (args, text, where) => {
    const { code, out, err } = await command(args);
    expect(code).toBe(2);
    if (where === 'none') expect(err).toMatch(/^xmpp-broker: /);
    else expect({ out, err }[where]).toContain(text);
  });

  test('options that are wrong for a component and for an account', async () => {
    const env = { XMPP_PASSWORD: 'secret' };
    expect((await command(['watch', '--jid', 'echo.example.org'], env)).err).toContain('say --component or --router');
    expect((await command(['watch', '--jid', 'a@b', '--port', 'x'], env)).err).toContain('--port must be a number');
    expect((await command(['watch', '--jid', 'a@b', '-e', 'PCJ_REDY'], env)).err).toContain('PCJ_READY');
  });

  test.each(['bash', 'zsh', 'fish'] as const)('completion for %s knows every command and option', async (shell) => {
    const { code, out } = await command(['completion', shell]);
    expect(code).toBe(0);
    for (const { name, options } of COMMANDS) {
      expect(out).toContain(name);
      for (const option of Object.keys(options)) expect(out).toContain(option);
    }
    if (shell === 'bash') {
      expect(spawnSync('bash', ['-n'], { input: out }).status).toBe(0);
      const script = `${out}\nCOMP_WORDS=(xmpp-broker wat); COMP_CWORD=1; _xmpp_broker; echo "\${COMPREPLY[@]}"`;
      expect(spawnSync('bash', [], { input: script, encoding: 'utf8' }).stdout.trim()).toBe('watch');
    }
  });

  test('the man page has every command and option', async () => {
    const { out } = await command(['--man']);
    for (const { name, options } of COMMANDS) {
      expect(out).toContain(`.SS ${name.replaceAll('-', '\\-')}`);
      for (const option of Object.keys(options)) expect(out).toContain(`\\-\\-${option.replaceAll('-', '\\-')}`);
    }
  });
});

describe('explain', () => {
  const stanza = "<message xmlns='jabber:client' from='a@b'><body>hello</body></message>";

  test.each([
    ['/message[body="hello"]', 0, /^it matches\n/],
    ['/message[body="ho"]', 1, /^it does not match: .+/],
    ['count(/message/body) = 1', 0, /^it matches\n/],
  ])('%s', async (expression, code, text) => {
    const outcome = await command(['explain', expression, '-'], {}, stanza);
    expect(outcome.code).toBe(code);
    expect(outcome.out).toMatch(text);
  });

  test('with prefixes, as JSON, and what can never match', async () => {
    const iq = "<iq type='get'><query xmlns='urn:x'/></iq>";
    const args = ['explain', '/iq/x:query', '-n', 'x=urn:x', '--json', '-'];
    expect(JSON.parse((await command(args, {}, iq)).out)).toMatchObject({ matches: true, why: null });
    const never = await command(['explain', '/iq/query']);
    expect(never.out).toMatch(/namespace/);
    expect((await command(['explain', '/iq/x:query', '-n', 'urn:x'])).err).toContain('PREFIX=URI');
  });
});

describe('with a server', () => {
  let server: LoopbackServer;
  let peer: Broker;
  let folder: string;
  const place = () => ['--component', '--jid', 'echo.localhost', '--port', String(server.ports.component)];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-cli-'));
    server = await LoopbackServer.start({
      domain: 'localhost',
      accounts: { juliet: 'r0m30' },
      components: { 'echo.localhost': 'secret', 'peer.localhost': 'secret' },
    });
    writeFileSync(join(folder, 'ca.pem'), server.ca);
    writeFileSync(join(folder, 'secret'), 'secret\nand more\n');
    peer = new Broker({
      connectionType: COMPONENT,
      jid: 'peer.localhost',
      host: '127.0.0.1',
      port: server.ports.component,
      password: 'secret',
      answerRequests: true,
      logger: false,
    });
    await peer.connect();
  });
  afterAll(async () => {
    await peer.shutdown();
    peer.halt();
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const env = { XMPP_PASSWORD: 'secret' };

  test('send: a message, and a stanza that is read', async () => {
    const first = peer.events.once('PCJ_NODERECEIVED');
    const sent = await command([
      'send',
      ...place(),
      '--password-file',
      join(folder, 'secret'),
      '--to',
      'peer.localhost',
      '--body',
      'hello',
    ]);
    expect(sent).toMatchObject({ code: 0, err: '' });
    expect((await first).getChildText('body')).toBe('hello');
    const second = peer.events.once('PCJ_NODERECEIVED');
    const read = await command(
      ['send', ...place(), '--json'],
      env,
      "<message to='peer.localhost'><body>two</body></message>\n",
    );
    expect(JSON.parse(read.out)).toMatchObject({ sent: true });
    expect((await second).getChildText('body')).toBe('two');
    expect((await command(['send', ...place()], env, 'no xml')).code).toBe(2);
  });

  test('send as an account, over TLS with an authority of its own', async () => {
    const args = ['send', '--jid', 'juliet@localhost', '--host', '127.0.0.1', '--port', String(server.ports.client)];
    const arrived = peer.events.once('PCJ_NODERECEIVED');
    const trusted = await command([...args, '--ca', join(folder, 'ca.pem'), '--to', 'peer.localhost', '--body', 'hi'], {
      XMPP_PASSWORD: 'r0m30',
    });
    expect(trusted).toMatchObject({ code: 0, out: 'sent, and acknowledged by the server\n', err: '' });
    await arrived;
    const untrusted = await command([...args, '--to', 'peer.localhost', '--body', 'hi'], { XMPP_PASSWORD: 'r0m30' });
    expect(untrusted).toMatchObject({ code: 1, out: '' });
    expect(untrusted.err).toMatch(/TLS_/);
  });

  test('request: a result, an error, and an address that does not exist', async () => {
    const ask = (to: string, payload: string, ...more: string[]) =>
      command(['request', ...place(), '--to', to, ...more, payload], env);
    const result = await ask('localhost', "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    expect(result.code).toBe(0);
    expect(result.out).toMatch(
      /^<iq [^>]*>\n {2}<query xmlns='http:\/\/jabber.org\/protocol\/disco#info'>\n {4}<identity [^>]*\/>\n/,
    );
    const refused = await ask('peer.localhost', "<query xmlns='urn:unknown'/>", '--json');
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.out)).toMatchObject({ error: 'service-unavailable' });
    expect((await ask('localhost', '<query')).code).toBe(2);
  });

  describe('what others sent does not reach the terminal as it is', () => {
    // U+009B begins a sequence as ESC [ does, and XML may hold it.
    const EVIL = 'a\u009b2Jb\u202ec';

    test.each([[[]], [['--json']]])('request %j', async (more) => {
      const payload = (name: string) => xml(name, { xmlns: 'urn:evil' }, EVIL);
      const result = peer.answer('get', { namespace: 'urn:evil' }, () => payload('answer'));
      const refusal = peer.answer('set', { namespace: 'urn:evil' }, () => {
        throw new StanzaError('conflict', { text: EVIL });
      });
      try {
        for (const type of [[], ['--set']]) {
          const { out } = await command(
            ['request', ...place(), '--to', 'peer.localhost', ...more, ...type, "<q xmlns='urn:evil'/>"],
            env,
          );
          // What a StanzaError says is escaped where it is made, too.
          expect(out).toMatch(/a\\+u009b2Jb\\+u202ec/);
          expect(out).not.toMatch(/[\u009b\u202e]/);
          if (more.length > 0) JSON.parse(out);
        }
      } finally {
        result.cancel();
        refusal.cancel();
      }
    });

    test('watch --json', async () => {
      const terminal = new TestTerminal(env);
      const watching = terminal.run('watch', ...place(), '--json');
      await terminal.wrote(/PCJ_READY/);
      peer.output(xml('message', { to: 'echo.localhost' }, xml('body', {}, EVIL)));
      await terminal.wrote(/2Jb/);
      terminal.interrupt();
      const { out } = await watching;
      expect(out).toContain('a\\u009b2Jb\\u202ec');
      expect(out).not.toMatch(/[\u009b\u202e]/);
      for (const line of out.trim().split('\n')) JSON.parse(line);
    });

    test.each([[[]], [['--json']]])('explain %j', async (more) => {
      const { out } = await command(
        ['explain', '/message/body', ...more, '-'],
        {},
        `<message><body>${EVIL}</body></message>`,
      );
      expect(out).toContain('a\\u009b2Jb\\u202ec');
      expect(out).not.toMatch(/[\u009b\u202e]/);
    });

    test('what went wrong', async () => {
      const { err } = await command(['explain', `/message[${EVIL}`]);
      expect(err).not.toMatch(/[\u009b\u202e]/);
    });
  });

  test('watch: events and stanzas, as text and as JSON, to the end that it is told', async () => {
    const plain = new TestTerminal(env);
    const watching = plain.run('watch', ...place());
    await plain.wrote(/PCJ_READY/);
    peer.output(xml('message', { to: 'echo.localhost' }, xml('body', {}, 'seen \u0085 \u202e')));
    await plain.wrote(/<body>seen/);
    plain.interrupt();
    const { code, out } = await watching;
    expect(code).toBe(0);
    // What others send does not reach the terminal as it is.
    expect(out).toContain('\\u202e');
    expect(out).not.toContain('\u202e');
    expect(out).not.toContain('secret');

    const json = new TestTerminal(env);
    const filtered = json.run('watch', ...place(), '--json', '-e', 'ready', '-x', '/message[subject]');
    await json.wrote(/PCJ_READY/);
    peer.output(xml('message', { to: 'echo.localhost' }, xml('body', {}, 'not this')));
    peer.output(xml('message', { to: 'echo.localhost' }, xml('subject', {}, 'this')));
    await json.wrote(/this/);
    json.interrupt();
    const lines = (await filtered).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; xml?: string });
    expect(lines.map(({ event }) => event)).toEqual(['PCJ_READY', 'stanza']);
    expect(lines[1]?.xml).toContain('<subject>this</subject>');
  });

  test('watch ends when it is interrupted while it connects', async () => {
    const terminal = new TestTerminal(env);
    const watching = terminal.run('watch', '--component', '--jid', 'echo.localhost', '--port', '1');
    await terminal.wrote(/PCJ_RECONNECTING/);
    terminal.interrupt();
    expect(await watching).toMatchObject({ code: 0 });
  });

  test('a wrong secret is told, and is in nothing that is written', async () => {
    const wrong = { XMPP_PASSWORD: 'not-the-secret-at-all' };
    for (const args of [['send', '--to', 'a@b', '--body', 'x'], ['request', '<q xmlns="u"/>'], ['watch']]) {
      const { code, out, err } = await command([args[0] ?? '', ...place(), ...args.slice(1)], wrong);
      expect(code).toBe(1);
      expect(err).toMatch(/not-authorized/);
      expect(out + err).not.toContain('not-the-secret-at-all');
    }
  });

  test('serve: what it prints works', async () => {
    const serving = new TestTerminal();
    const served = serving.run(
      'serve',
      '--account',
      'juliet:r0m30',
      '--component',
      'echo.localhost:s p',
      '--router',
      'jabberd:x',
      '--no-tls',
    );
    const [, line = ''] = await serving.wrote(
      /component echo\.localhost: XMPP_PASSWORD='s p' xmpp-broker watch (.*)\n/,
    );
    const args = line.split(' ');
    const { code } = await command(['send', ...args, '--to', 'juliet@localhost', '--body', 'x'], {
      XMPP_PASSWORD: 's p',
    });
    expect(code).toBe(0);
    const [, account = ''] = await serving.wrote(
      /account juliet@localhost: XMPP_PASSWORD=r0m30 xmpp-broker watch (.*)\n/,
    );
    const asked = await command(['request', ...account.split(' '), '<ping xmlns="urn:xmpp:ping"/>'], {
      XMPP_PASSWORD: 'r0m30',
    });
    expect(asked).toMatchObject({ code: 0, err: '' });
    serving.interrupt();
    expect((await served).code).toBe(0);
  });
});

describe('console', () => {
  test('prints an address where the token opens a stream, and ends when it is interrupted', async () => {
    await using server = await LoopbackServer.start({ components: { 'echo.localhost': 'secret' } });
    const terminal = new TestTerminal({ XMPP_PASSWORD: 'secret' });
    const port = String(server.ports.component);
    const running = terminal.run(
      'console',
      '--component',
      '--jid',
      'echo.localhost',
      '--port',
      port,
      '-x',
      '/message',
      '--json',
    );
    const [, address = ''] = await terminal.wrote(/\{"url":"(.*)"\}/);
    const [page = '', token = ''] = address.split('#');
    const { status, body } = await fetch(`${page}api/stream`, { headers: { Authorization: `Bearer ${token}` } });
    expect(status).toBe(200);
    let text = '';
    const decoder = new TextDecoder();
    for await (const piece of body ?? []) {
      text += decoder.decode(piece as Uint8Array);
      // The filters are told once, the state each second.
      if (/"kind":"filters","total":1/.test(text) && text.includes('"state":"ready"')) break;
    }
    expect(text).toContain('"expression":"/message"');
    terminal.interrupt();
    expect(await running).toMatchObject({ code: 0, err: '' });
  });

  test.each([
    [['--console-port', 'x'], '--console-port must be a number from 1 to 65535'],
    [['--xpath', '//['], 'XPath'],
  ])('%j is refused', async (args, text) => {
    const { code, err } = await command(['console', '--component', '--jid', 'a.b', '--port', '1', ...args], {
      XMPP_PASSWORD: 'x',
    });
    expect(code).toBe(2);
    expect(err).toContain(text);
  });

  test.each(['console', 'record'])('%s says why there is no link, and goes on trying', async (name) => {
    const server = await LoopbackServer.start({ components: { 'echo.localhost': 'secret' } });
    const port = String(server.ports.component);
    await server.stop({ abrupt: true });
    const terminal = new TestTerminal({ XMPP_PASSWORD: 'secret' });
    const file = name === 'record' ? [join(mkdtempSync(join(tmpdir(), 'xmpp-broker-cli-')), 'stream.jsonl')] : [];
    const running = terminal.run(name, ...file, '--component', '--jid', 'echo.localhost', '--port', port);
    await expect.poll(() => terminal.told, { timeout: 10_000 }).toContain('ECONNREFUSED');
    terminal.interrupt();
    expect(await running).toMatchObject({ code: 0, err: expect.stringMatching(/^not connected: /) as string });
  });

  test('a port that cannot be had is said', async () => {
    await using server = await LoopbackServer.start({ components: { 'echo.localhost': 'secret' } });
    const port = String(server.ports.component);
    const { code, err } = await command(
      ['console', '--component', '--jid', 'echo.localhost', '--port', port, '--console-port', port],
      { XMPP_PASSWORD: 'secret' },
    );
    expect(code).toBe(1);
    expect(err).toContain('CONSOLE_LISTEN');
  });
});
