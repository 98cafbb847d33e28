import { usageError } from '../../errors.js';
import type { LoopbackOptions } from '../../testing/index.js';
import { ReplayServer } from '../../testing/replay-server.js';
import { portOf } from '../account.js';
import type { Command, Given, Terminal } from '../command.js';
import { counted } from '../counted.js';
import { escaped } from '../escaped.js';
import { quoted } from '../quoted.js';
import { readRecording, type Recording } from '../recording.js';

/** What a program under test signs in with, if nothing else is said. */
const PASSWORD = 'replay';

/** A recorded stream, played by a server on this machine. */
export const replay: Command = {
  name: 'replay',
  summary: 'plays what record wrote to a program under test',
  operands: 'FILE',
  count: [1, 1],
  details: [
    'It listens on 127.0.0.1 only, without TLS. The sign-in is its own, with the password in XMPP_PASSWORD, or replay; behind it the server',
    'says what is recorded: each element when the program has sent as many stanzas as there were before it, with its own',
    "ids in the answers. It ends when the last session was played and the program has closed; the exit code is 1 when some of the server's elements",
    'were not sent.',
  ],
  options: {
    port: { value: 'PORT', help: 'port to listen on; default: any that is free' },
    fast: { help: 'does not wait as long as the server took' },
  },
  async run(given, terminal) {
    const [path = ''] = given.positionals;
    const recording = await readRecording(path);
    const own = terminal.env['XMPP_PASSWORD'] ?? '';
    const side = sideOf(recording, own === '' ? PASSWORD : own);
    const tell = teller(given, terminal);
    const { sessions } = recording;
    const finished = new Set<number>();
    let closed = 0;
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => (end = resolve));
    const look = (): void => {
      if (finished.size === sessions.length && closed === sessions.length) end();
    };
    let complete = 0;
    await using server = await ReplayServer.start({
      server: side.options(portOf(given)),
      sessions,
      paced: !given.has('fast'),
      onBegin: (index, jid) => {
        const text = `session ${String(index + 1)} of ${String(sessions.length)}: ${jid.toString()} signed in`;
        tell({ event: 'session', session: index + 1, jid: jid.toString() }, text);
      },
      onPlayed: (index, { left, heard, recorded }) => {
        if (left === 0) complete += 1;
        const counts = `the program sent ${counted(heard, 'stanza')}, the recording has ${String(recorded)}`;
        const text = left === 0 ? `played to its end; ${counts}` : `${counted(left, 'element')} not sent: ${counts}`;
        const number = index + 1;
        tell({ event: 'played', session: number, left, heard, recorded }, `session ${String(number)}: ${text}`);
        finished.add(index);
        look();
      },
      onClosed: () => {
        closed += 1;
        look();
      },
    });
    const { port } = server;
    tell({ event: 'listening', host: '127.0.0.1', port }, `replaying ${path} on 127.0.0.1, port ${String(port)}`);
    if (!given.has('json')) terminal.out(escaped(`  ${side.paste(port, own === '')}`));
    terminal.signal.addEventListener('abort', end, { once: true });
    if (!terminal.signal.aborted) await over;
    terminal.signal.removeEventListener('abort', end);
    return complete === sessions.length ? 0 : 1;
  },
};

function teller(given: Given, { out }: Terminal): (facts: object, text: string) => void {
  return (facts, text) => out(escaped(given.has('json') ? JSON.stringify(facts) : text));
}

/** What programs may insist on. */
const MECHANISMS = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'DIGEST-MD5', 'PLAIN'] as const;

/** What is opened for the kind of stream that was recorded, and what to paste. */
interface Side {
  options(port: number | undefined): LoopbackOptions;
  paste(port: number, tellPassword: boolean): string;
}

function sideOf({ dialect, domain, username = '', managed, sessions }: Recording, password: string): Side {
  const watch = (tell: boolean, args: string): string =>
    `${tell ? `XMPP_PASSWORD=${quoted(password)} ` : ''}xmpp-broker watch ${args}`;
  const common = { streamManagement: managed ? {} : (false as const), services: false as const };
  const at = (name: string, port: number | undefined): Pick<LoopbackOptions, 'ports'> =>
    port === undefined ? {} : { ports: { [name]: port } };
  switch (dialect) {
    case 'XMPP':
    case 'LEGACY': {
      const local = sessions[0]?.jid.local ?? '';
      const jid = quoted(`${local}@${domain}`);
      const accounts = { [local]: password };
      return {
        options: (port) => ({
          ...common,
          domain,
          accounts,
          mechanisms: MECHANISMS,
          bind: { session: 'off' },
          ...at('client', port),
        }),
        paste: (port, tell) => watch(tell, `--jid ${jid} --host 127.0.0.1 --port ${String(port)} --no-tls`),
      };
    }
    case 'JABBERD14_COMPONENT':
      return {
        // The component needs a server of another name.
        options: (port) => ({ domain: `of.${domain}`, components: { [domain]: password }, ...at('component', port) }),
        paste: (port, tell) => watch(tell, `--component --jid ${quoted(domain)} --port ${String(port)}`),
      };
    case 'JABBERD20_COMPONENT':
      return {
        options: (port) => ({ domain: `of.${domain}`, routerUsers: { [username]: password }, ...at('router', port) }),
        paste: (port, tell) =>
          watch(tell, `--router --user ${quoted(username)} --jid ${quoted(domain)} --port ${String(port)} --no-tls`),
      };
    default:
      throw usageError('USAGE_ARGUMENT', `${JSON.stringify(dialect)} is no dialect that can be replayed`);
  }
}
