// Telling a server to forget a token: XEP-0484 §3.6.
import { Core } from './core.js';
import { BrokerError, usageError } from '../errors.js';
import type { BrokerOptions } from '../options/options.js';
import { accountAddress } from '../protocols/account.js';
import { endingOf, type TokenEnding } from '../protocols/fast/token-ending.js';

/**
 * Signs in with the token, on a connection of its own beside that of `core`, and tells the server to forget it. Whatever comes
 * of that, the token is taken out of the store.
 * @throws BrokerError `USAGE_FORGET_TOKEN`, and why the server could not be told
 */
export async function forgetToken(core: Core, options: BrokerOptions | null): Promise<void> {
  const { username, domain, connectionType } = core.config;
  const ending = endingOf(connectionType);
  if (options === null || ending === null || username === undefined) {
    const text = 'forgetToken() needs a user name, and the dialect XMPP.with({ fast: { store } })';
    throw usageError('USAGE_FORGET_TOKEN', text);
  }
  const account = accountAddress(username, domain);
  const token = await ending.load(account);
  if (token === null) return;
  try {
    await tell(options, ending);
  } finally {
    await ending.forget(account);
    const { mechanism, expiry } = token;
    if (core.lifecycle.state !== 'halted') core.status.publish('PCJ_TOKEN', { what: 'forgotten', mechanism, expiry });
  }
}

async function tell(options: BrokerOptions, { dialect }: TokenEnding): Promise<void> {
  // Nothing of the queue belongs to it, and no password: only the token speaks for us.
  const own = {
    connectionType: dialect,
    queue: undefined,
    password: undefined,
    reconnect: false,
    logger: false,
  } as const;
  const other = new Core({ ...options, ...own });
  try {
    await other.lifecycle.connect({});
    await other.lifecycle.shutdown({ limitMs: other.config.timeouts.close, leaving: false });
  } catch (error) {
    // One that the server refuses is forgotten there already.
    if (!(error instanceof BrokerError) || error.code !== 'SASL_TOKEN_REFUSED') throw error;
  } finally {
    other.lifecycle.halt();
  }
}
