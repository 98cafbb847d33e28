// What the command line asks to be looked at.
import { usageError } from '../../errors.js';
import { JID } from '../../jid/jid.js';
import type { BrokerOptions } from '../../options/options.js';
import type { Dialect } from '../../protocols/dialect.js';
import { JABBERD14_COMPONENT } from '../../protocols/jabberd14.js';
import { JABBERD20_COMPONENT } from '../../protocols/jabberd2.js';
import { XMPP } from '../../protocols/xmpp.js';
import type { TlsOptions } from '../../tls/options.js';
import { portOf, sideOf, tlsOf } from '../account.js';
import type { Given } from '../command.js';

/** What is looked at, and how. */
export interface Plan {
  readonly kind: 'client' | 'component' | 'router';
  readonly domain: string;
  readonly dialect: Dialect;
  /** Where to dial; undefined where the domain says so. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** A URL, or `discover`. */
  readonly websocket: string | undefined;
  readonly tls: TlsOptions;
  /** For each step. */
  readonly timeoutMs: number;
}

/** Where components are, unless something else is said. */
const COMPONENT_PORT = 5347;

/** @throws BrokerError `USAGE_ARGUMENT`, `USAGE_JID` */
export async function planOf(given: Given): Promise<Plan> {
  const [name = ''] = given.positionals;
  const kind = sideOf(given);
  const dialect = { client: XMPP, component: JABBERD14_COMPONENT, router: JABBERD20_COMPONENT }[kind];
  const websocket = given.text('websocket');
  const jid = given.text('jid');
  const { domain, local } = JID.parse(name);
  if (local !== null) {
    throw usageError('USAGE_ARGUMENT', `doctor takes a domain, not ${name}: say doctor ${domain} --jid ${name}`);
  }
  if (jid !== undefined && kind === 'client' && JID.parse(jid).domain !== domain) {
    throw usageError('USAGE_ARGUMENT', `--jid ${jid} is no account of ${domain}`);
  }
  if (websocket !== undefined && (kind !== 'client' || given.text('host') !== undefined)) {
    throw usageError('USAGE_ARGUMENT', '--websocket goes with neither --host, --component nor --router');
  }
  const elsewhere = kind !== 'client';
  return {
    kind,
    domain,
    dialect,
    host: given.text('host') ?? (elsewhere ? '127.0.0.1' : undefined),
    port: portOf(given) ?? (elsewhere ? COMPONENT_PORT : undefined),
    websocket,
    tls: (await tlsOf(given)) ?? {},
    timeoutMs: secondsOf(given.text('timeout')) * 1_000,
  };
}

/** Time limits of a broker, each that of a step. */
export function timeoutsOf({ timeoutMs }: Plan): NonNullable<BrokerOptions['timeouts']> {
  return {
    resolve: timeoutMs,
    connect: timeoutMs,
    tls: timeoutMs,
    stream: timeoutMs,
    auth: timeoutMs,
    bind: timeoutMs,
  };
}

function secondsOf(text = '10'): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= 600) return seconds;
  throw usageError('USAGE_ARGUMENT', `--timeout takes seconds, up to 600, not ${JSON.stringify(text)}`);
}
