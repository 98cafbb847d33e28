// Who a command signs in as, and where.
import { readFile } from 'node:fs/promises';
import { usageError } from '../errors.js';
import { JID } from '../jid/jid.js';
import type { BrokerOptions } from '../options/options.js';
import { JABBERD14_COMPONENT } from '../protocols/jabberd14.js';
import { JABBERD20_COMPONENT } from '../protocols/jabberd2.js';
import { XMPP } from '../protocols/xmpp.js';
import type { TlsOptions } from '../tls/options.js';
import type { CliOptions, Given, Terminal } from './command.js';

/** Options of every command that connects. */
export const ACCOUNT: CliOptions = {
  jid: { value: 'JID', help: 'who signs in: juliet@example.org, or the name of a component' },
  component: { help: 'signs in as an external component (XEP-0114)' },
  router: { help: "signs in as a component at jabberd2's router" },
  user: { value: 'NAME', help: 'with --router: the user of the router; default jabberd' },
  'password-file': {
    value: 'FILE',
    help: 'reads the password or secret from a file; else from XMPP_PASSWORD, or asks',
  },
  host: { value: 'HOST', help: 'where to dial; default: what the domain says, for a component 127.0.0.1' },
  port: { value: 'PORT', help: 'port to dial' },
  ca: { value: 'FILE', help: 'authorities to trust, in PEM, in place of the usual ones' },
  pin: { value: 'PIN', help: 'the pin of the certificate that is enough by itself, as doctor shows it' },
  'direct-tls': { help: 'begins with TLS in place of STARTTLS, as ports such as 5223 want it' },
  'no-tls': { help: 'never uses TLS; the password is sent only if it cannot be read, or to this machine' },
};

/** What a broker is made with. @throws BrokerError `USAGE_ARGUMENT` */
export async function accountOf(given: Given, terminal: Terminal): Promise<BrokerOptions> {
  const jid = given.text('jid');
  if (jid === undefined)
    throw usageError('USAGE_ARGUMENT', '--jid is missing: say who signs in, such as juliet@example.org');
  const side = sideOf(given);
  const port = portOf(given);
  if (side !== 'client' && port === undefined) {
    throw usageError(
      'USAGE_ARGUMENT',
      `--port is missing: say the port that the server has for ${side === 'router' ? 'its router' : 'components'}, often 5347`,
    );
  }
  if (side === 'client' && JID.parse(jid).local === null) {
    throw usageError(
      'USAGE_ARGUMENT',
      `--jid ${jid} is no account such as juliet@example.org; for a component say --component or --router`,
    );
  }
  const host = given.text('host');
  const where = { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) };
  const tls = await tlsOf(given);
  // Nobody is asked for a password before the rest is right.
  const password = await secretOf(given, terminal, jid);
  const common = { password, ...where, ...(tls === null ? {} : { tls }), logger: false as const };
  if (side === 'component') {
    return {
      connectionType: JABBERD14_COMPONENT,
      jid,
      ...(host === undefined ? { host: '127.0.0.1' } : {}),
      ...common,
    };
  }
  if (side === 'router') {
    const username = given.text('user') ?? 'jabberd';
    return {
      connectionType: JABBERD20_COMPONENT,
      domain: jid,
      username,
      ...(host === undefined ? { host: '127.0.0.1' } : {}),
      ...common,
    };
  }
  return { connectionType: XMPP, jid, ...common };
}

/** Where somebody signs in. @throws BrokerError `USAGE_ARGUMENT` for both at once */
export function sideOf(given: Given): 'client' | 'component' | 'router' {
  if (given.has('component') && given.has('router')) {
    throw usageError('USAGE_ARGUMENT', '--component and --router are two kinds of sign-in: leave one of them out');
  }
  return given.has('component') ? 'component' : given.has('router') ? 'router' : 'client';
}

/** The port that an option names. @throws BrokerError `USAGE_ARGUMENT` */
export function portOf(given: Given, option = 'port'): number | undefined {
  const text = given.text(option);
  if (text === undefined) return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw usageError('USAGE_ARGUMENT', `--${option} must be a number from 1 to 65535, not ${JSON.stringify(text)}`);
}

export async function tlsOf(given: Given): Promise<TlsOptions | null> {
  if (given.has('no-tls') && given.has('direct-tls')) {
    throw usageError('USAGE_ARGUMENT', '--direct-tls begins with TLS, --no-tls never uses it: leave one of them out');
  }
  if (given.has('no-tls')) return { policy: 'disabled' };
  const ca = given.text('ca');
  const pin = given.text('pin');
  const direct = given.has('direct-tls');
  if (ca === undefined && pin === undefined && !direct) return null;
  return {
    ...(direct ? { policy: 'direct' as const } : {}),
    ...(ca === undefined ? {} : { ca: await readFrom(ca, '--ca') }),
    ...(pin === undefined ? {} : { pin: [pin], pinOnly: true }),
  };
}

/** From a file, the environment, or a person: never from the command line, which other users can read. */
async function secretOf(given: Given, { env, ask }: Terminal, jid: string): Promise<string> {
  const file = given.text('password-file');
  if (file !== undefined) {
    const [line = ''] = (await readFrom(file, '--password-file')).split(/\r?\n/);
    if (line !== '') return line;
    throw usageError('USAGE_ARGUMENT', `the first line of ${file} is empty: --password-file wants the password there`);
  }
  const password = env['XMPP_PASSWORD'];
  if (password !== undefined && password !== '') return password;
  if (ask !== null) return ask(`Password of ${jid}: `);
  throw usageError('USAGE_ARGUMENT', 'there is no password: set XMPP_PASSWORD, or say --password-file FILE');
}

async function readFrom(path: string, option: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code = 'it failed' } = error as NodeJS.ErrnoException;
    throw usageError('USAGE_ARGUMENT', `${option}: ${path} cannot be read (${code})`);
  }
}
