// What holds for every command: help, JSON, and what is said of a command line that is wrong.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { COMMANDS } from '../../../src/cli/commands/index.js';
import { command, TestTerminal } from './terminal.js';

let server: LoopbackServer;
let folder: string;
/** The password, which is no word that a message has. */
const SECRET = 'r0m30-and-more';
const env = { XMPP_PASSWORD: SECRET };
const file = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-every-'));
  server = await LoopbackServer.start({ components: { 'echo.localhost': SECRET } });
  const recording = [
    { version: 1, dialect: 'JABBERD14_COMPONENT', domain: 'echo.localhost' },
    { at: 1, ready: 'echo.localhost', resumed: false },
  ];
  writeFileSync(file('recording.jsonl'), recording.map((line) => JSON.stringify(line)).join('\n'));
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const at = (): string[] => ['--component', '--jid', 'echo.localhost', '--port', String(server.ports.component)];

interface Case {
  /** A command line that works. */
  readonly works: () => readonly string[];
  /** Whether it goes on until it is interrupted. */
  readonly goesOn?: boolean;
  /** Command lines that are wrong: what is wrong, and the way out. */
  readonly wrong: readonly (readonly [args: readonly string[], cause: string, wayOut: string])[];
}

/** Of an account: what every command says that signs in. */
const account = (...operands: string[]): Case['wrong'] => [
  [operands, '--jid is missing', 'such as juliet@example.org'],
  [[...operands, '--jid', 'example.org'], 'is no account', '--component or --router'],
  [[...operands, '--jid', 'a@b@c'], '"a@b@c" is not a JID', 'domain'],
  [[...operands, '--jid', 'a', '--component'], '--port is missing', 'often 5347'],
  [[...operands, '--jid', 'a', '--component', '--router'], 'two kinds of sign-in', 'leave one of them out'],
  [[...operands, '--jid', 'a@b', '--no-tls', '--direct-tls'], '--no-tls never uses it', 'leave one of them out'],
  [[...operands, '--jid', 'a@b', '--port', '0'], '--port', 'from 1 to 65535, not "0"'],
  [[...operands, '--jid', 'a@b', '--ca', '/nowhere/x'], '--ca: /nowhere/x cannot be read', 'ENOENT'],
  [[...operands, '--jid', 'a@b', '--password-file', '/dev/null'], '/dev/null is empty', 'wants the password there'],
];

const XPATH: Case['wrong'] = [
  [['--jid', 'a@b', '-x', '//['], 'unexpected "["', '⟶ ['],
  [['--jid', 'a@b', '-n', 'urn:x'], '--namespace takes PREFIX=URI', 'such as d='],
];

/** Every command. A new one is missed by the first test. */
const CASES: Readonly<Record<string, Case>> = {
  doctor: {
    works: () => ['echo.localhost', '--component', '--port', String(server.ports.component)],
    wrong: [
      [['a@b'], 'takes a domain, not a@b', 'say doctor b --jid a@b'],
      [['a b'], '"a b" is not a JID', 'U+0020 is not allowed'],
      [['a', '--timeout', 'soon'], '--timeout takes seconds', 'up to 600'],
      [['a', '--timeout', '-1'], '--timeout', "use '--timeout=-XYZ'"],
      [['a', '--component', '--router'], 'two kinds of sign-in', 'leave one of them out'],
      [['a', '--websocket', 'ws://a', '--host', 'b'], '--websocket goes with neither', '--host'],
    ],
  },
  watch: {
    works: at,
    goesOn: true,
    wrong: [...account(), ...XPATH, [['--jid', 'a@b', '-e', 'redy'], 'redy is no status event', 'PCJ_READY']],
  },
  console: {
    works: at,
    goesOn: true,
    wrong: [...account(), ...XPATH, [['--jid', 'a@b', '--console-port', 'x'], '--console-port', 'from 1 to 65535']],
  },
  send: {
    works: () => [...at(), '--to', 'a@localhost', '--body', 'hello'],
    wrong: [
      ...account('<message/>'),
      [['--to', 'a@b'], 'send takes --to and --body together', 'or a stanza'],
      [['--to', '@', '--body', 'x'], '--to takes an address', 'such as juliet@example.org'],
      [['<message/>', '--to', 'a@b', '--body', 'x'], 'send takes --to and --body together', 'without them'],
      [['no xml'], 'must be one element of XML', 'text outside the element'],
      [[], 'must be one element of XML', 'nothing was given'],
    ],
  },
  request: {
    works: () => [...at(), '<ping xmlns="urn:xmpp:ping"/>', '--to', 'localhost'],
    wrong: [
      ...account('<a/>'),
      [['<a/>', '--to', '@'], '--to takes an address', 'such as juliet@example.org'],
      [['<a/>', '--timeout', 'soon'], '--timeout takes a number of seconds', 'not "soon"'],
      [['<a><b></a>'], 'must be one element of XML', 'an end tag that is not </b>'],
    ],
  },
  queue: {
    // What it reads needs SQLite: test/unit/stores has that.
    works: () => ['list', file('none.db')],
    wrong: [
      [['lst', 'queue.db'], 'queue takes list, send, drop or dead', 'not "lst"'],
      [['list', '/nowhere/queue.db'], 'there is no file', '/nowhere/queue.db'],
    ],
  },
  explain: {
    works: () => ['/message'],
    wrong: [
      [['//['], 'unexpected "["', 'at offset 2'],
      [['/a:b'], 'the prefix "a" is not bound', 'give its namespace'],
      [['/message', '/nowhere/x'], '/nowhere/x cannot be read', 'ENOENT'],
      [['/message', '-n', 'x'], '--namespace takes PREFIX=URI', 'such as d='],
    ],
  },
  serve: {
    works: () => [],
    goesOn: true,
    wrong: [
      [['--account', 'juliet'], '--account takes NAME:SECRET', 'such as juliet:r0m30'],
      [['--component', ':x'], '--component takes NAME:SECRET', 'such as'],
      [['--client-port', '99999'], '--client-port', 'from 1 to 65535, not "99999"'],
      [['--domain', 'a b'], 'domain is no domain', 'U+0020'],
    ],
  },
  record: {
    works: () => [...at(), file('new.jsonl')],
    goesOn: true,
    wrong: [
      ...account('/nowhere/x'),
      [['/', '--jid', 'a@b'], '/ is there already', 'name a file that is not'],
      [['/nowhere/x', '--jid', 'a@b'], '/nowhere/x cannot be made', 'ENOENT'],
    ],
  },
  replay: {
    works: () => [file('recording.jsonl')],
    goesOn: true,
    wrong: [
      [['/nowhere/x'], '/nowhere/x cannot be read', 'ENOENT'],
      [['/dev/null'], '/dev/null', 'is empty'],
      [['package.json'], 'package.json, line 1', 'record makes such files'],
    ],
  },
  demo: {
    works: () => [],
    wrong: [
      [['--server', 'localhost'], '--server takes HOST:PORT', 'not "localhost"'],
      [['--server', 'localhost:5347'], '--server needs --domain and a secret', 'set XMPP_PASSWORD'],
    ],
  },
  completion: {
    works: () => ['bash'],
    wrong: [[['tcsh'], 'there is completion for bash, zsh, fish', 'not for "tcsh"']],
  },
};

test('there is a case for every command', () => {
  expect(Object.keys(CASES)).toEqual(COMMANDS.map(({ name }) => name));
});

test('demo takes both secrets from the environment, where other users of the machine do not see them', async () => {
  await using real = await LoopbackServer.start({ components: { 'a.localhost': SECRET, 'b.localhost': 'another' } });
  const there = `127.0.0.1:${String(real.ports.component)}`;
  const args = ['demo', '--server', there, '--domain', 'a.localhost', '--peer-domain', 'b.localhost'];
  expect((await command(args, { ...env, XMPP_PEER_PASSWORD: 'another' })).code).toBe(0);
});

test('serve says which services it has, and they are there', async () => {
  const { out } = await command(['serve', '--help']);
  for (const word of ['conference.', 'pubsub.', 'contacts', 'offline messages', 'archive']) expect(out).toContain(word);
  const terminal = new TestTerminal();
  const serving = terminal.run('serve', '--component', `echo.localhost:${SECRET}`, '--account', 'a:b', '--no-tls');
  const [, port = ''] = await terminal.wrote(/component echo.localhost:.* --port (\d+)\n/);
  const told = [...(await terminal.wrote(/rooms: (\S+)\n {2}publish-subscribe: (\S+)\n/))].slice(1);
  expect(told).toEqual(['conference.localhost', 'pubsub.localhost']);
  const info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
  const ask = (to: string) =>
    command(['request', '--component', '--jid', 'echo.localhost', '--port', port, '--to', to, info], env);
  for (const name of told) expect((await ask(name)).out).toContain('<identity');
  expect((await ask('a@localhost')).out).toContain('urn:xmpp:mam:2');
  terminal.interrupt();
  await serving;
});

describe.each(COMMANDS)('$name', ({ name, summary, operands, count, options, details }) => {
  const { works, goesOn = false, wrong } = CASES[name] ?? { works: () => [], wrong: [] };

  test.each(['--help', '-h'])('%s tells all, whatever else is said', async (help) => {
    for (const args of [[help], [...works(), help], [...works(), '--json', help]]) {
      const { code, out, err } = await command([name, ...args]);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      for (const text of [`xmpp-broker ${name} [OPTION]…`, operands, summary, ...details]) expect(out).toContain(text);
      for (const option of [...Object.keys(options), 'json', 'help']) expect(out).toContain(`--${option}`);
    }
  });

  test.skipIf(name === 'queue')('--json: each line is an object, and nothing else is written', async () => {
    const terminal = new TestTerminal(env);
    const running = terminal.run(name, ...works(), '--json');
    if (goesOn) {
      await terminal.wrote(/\n/);
      terminal.interrupt();
    }
    const { code, out, err } = await running;
    // Nobody came to hear what replay has to play.
    expect({ code, err }).toEqual({ code: name === 'replay' ? 1 : 0, err: '' });
    const lines = out.trim().split('\n');
    for (const line of lines) expect(JSON.parse(line)).toBeTypeOf('object');
  });

  test.each(wrong)('%j: cause and way out', async (args, cause, wayOut) => {
    const { code, out, err } = await command([name, ...args], env);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(cause);
    expect(err).toContain(wayOut);
    expect(err).not.toContain(SECRET);
  });

  const texts = Object.entries(options).filter(([, { value }]) => value !== undefined);
  const misread: readonly (readonly [args: readonly string[], cause: string])[] = [
    [['--jsonn'], 'there is no option --jsonn; did you mean --json?'],
    [['--json=yes'], "'--json' does not take an argument"],
    ...texts.map(([option]) => [[`--${option}`], `--${option} <value>' argument missing`] as const),
    [
      Array.from({ length: count[1] + 1 }, () => 'x'),
      `${name} takes ${operands === '' ? 'no operand' : operands}, not "x"`,
    ],
    [
      count[0] > 0 ? [] : ['--nonsense'],
      count[0] > 0 ? `${name} takes ${operands}, and nothing was given` : '--nonsense',
    ],
  ];
  test.each(misread)('%j', async (args, cause) => {
    const { code, out, err } = await command([name, ...args], env);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(cause);
    expect(err).toContain(`see xmpp-broker ${name} --help`);
    expect(err.trim().split('\n')).toHaveLength(1);
  });
});
