// Names at the jabberd2 router: <bind/> and <unbind/> of its component protocol.
import { BrokerError, usageError } from '../../errors.js';
import { JID } from '../../jid/jid.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';

/** How a name is bound. */
export interface NameOptions {
  /**
   * Shares the name with other connections; the router spreads stanzas over them by the bare address they are sent
   * to. Default false: the name is refused while anybody has it.
   */
  multi?: boolean;
  /** Receives what is sent to domains nobody has bound: other people's traffic. Default false. */
  default?: boolean;
  /** Receives a copy of every packet, as PCJ_ROUTE: other people's traffic. Default false. */
  log?: boolean;
}

export function bindElement(name: string, id: string, options: NameOptions): Element {
  return xml(
    'bind',
    { xmlns: NS.JABBERD2_COMPONENT, name, id, multi: options.multi === true ? '1' : null },
    options.default === true && xml('default'),
    options.log === true && xml('log'),
  );
}

export function unbindElement(name: string, id: string): Element {
  return xml('unbind', { xmlns: NS.JABBERD2_COMPONENT, name, id });
}

const REASONS: Readonly<Record<string, { condition: string; reason: string }>> = {
  400: { condition: 'bad-request', reason: 'it takes this for no name' },
  403: { condition: 'forbidden', reason: 'its user may not bind this name' },
  404: { condition: 'item-not-found', reason: 'the name is not bound here' },
  409: {
    condition: 'conflict',
    reason: 'the name is bound already; a name is shared with the option multi',
  },
};

/** What the `error` attribute of an answer to <bind/> or <unbind/> says. */
export function bindError(verb: 'bind' | 'unbind', name: string, code: string): BrokerError {
  const { condition, reason } = REASONS[code] ?? { condition: 'undefined-condition', reason: 'no reason is known' };
  return new BrokerError(
    'BIND_FAILED',
    `the router did not ${verb} ${name}: error ${JSON.stringify(code)}, ${reason}`,
    {
      layer: 'bind',
      origin: 'peer',
      condition,
      // The name may be held by a lost link of our own, which the router will drop in time.
      retryable: condition === 'conflict',
    },
  );
}

/** The prepared form of a name to bind. @throws BrokerError `USAGE_NAME` */
export function checkName(name: unknown, where: string): string {
  try {
    const jid = JID.parse(name as string);
    if (jid.local === null && jid.resource === null) return jid.domain;
  } catch {
    // told below
  }
  throw usageError(
    'USAGE_NAME',
    `${where} must be a domain name such as service.example.org, not ${JSON.stringify(name)}`,
  );
}

/**
 * @param others further options there are, which are checked elsewhere
 * @throws BrokerError `USAGE_NAME` for what is no option, or neither true nor false
 */
export function checkNameOptions(options: object, where: string, others: readonly string[] = []): void {
  for (const [key, value] of Object.entries(options)) {
    if (others.includes(key)) continue;
    if (key !== 'multi' && key !== 'default' && key !== 'log') {
      const known = [...others, 'multi', 'default', 'log'].join(', ');
      throw usageError('USAGE_NAME', `${where} has no option ${JSON.stringify(key)}; there are ${known}`);
    }
    if (value !== undefined && typeof value !== 'boolean') {
      throw usageError('USAGE_NAME', `${where}: ${key} must be true or false`);
    }
  }
}
