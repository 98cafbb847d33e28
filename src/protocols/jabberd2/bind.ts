// Names at the jabberd2 router: <bind/> and <unbind/> of its component protocol.
import { flag, withCode } from '../../arguments/checks.js';
import type { OptionTable } from '../../arguments/options.js';
import { BrokerError, usageError } from '../../errors.js';
import { domain, preparedDomain } from '../../jid/checks.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';

/** How a name is bound. */
export interface NameOptions {
  /**
   * Shares the name with other connections; the router spreads stanzas over them by the bare address they are sent
   * to. Default false: the name is refused while anybody has it.
   */
  multi?: boolean | undefined;
  /** Receives what is sent to domains nobody has bound: other people's traffic. Default false. */
  default?: boolean | undefined;
  /** Receives a copy of every packet, as PCJ_ROUTE: other people's traffic. Default false. */
  log?: boolean | undefined;
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

/** A name to bind. */
export const nameCheck = withCode('USAGE_NAME', domain);

export const NAME_OPTIONS: OptionTable<NameOptions> = { checks: { multi: flag, default: flag, log: flag } };

/** The prepared form of a name that a call takes. @throws BrokerError `USAGE_NAME` */
export function preparedName(call: string, name: unknown): string {
  const problem = nameCheck(name);
  if (problem !== null) throw usageError('USAGE_NAME', `${call}: the name ${problem}`);
  return preparedDomain(name as string);
}
