// Options of the XMPP dialect.
import type { Optional } from '../../arguments/optional.js';
import { count, oneOf, someOf, text } from '../../arguments/checks.js';
import type { OptionTable } from '../../arguments/options.js';
import { CHANNEL_BINDING_TYPES, type ChannelBindingType } from '../../tls/channel-binding.js';
import { DEFAULT_ITERATION_LIMITS, type IterationLimits } from '../sasl/scram-message.js';
import { MECHANISM_NAMES, type MechanismName } from '../sasl/mechanisms.js';

/** Options of the XMPP dialect, given with {@link XmppDialect.with}. */
export interface XmppOptions {
  /**
   * The only SASL mechanisms that may be used, best first. Default: SCRAM-SHA-512, -256 and -1, each with channel
   * binding first, then PLAIN on verified TLS; before them EXTERNAL when `tls.cert` is given.
   */
  mechanisms?: readonly MechanismName[] | undefined;
  /** Channel binding for SCRAM: `auto`, `none`, or a type to use though the server does not list it. Default `auto`. */
  channelBinding?: 'auto' | 'none' | ChannelBindingType | undefined;
  /** Bounds of SCRAM's iteration count. Default `{ min: 4096, max: 1_000_000 }`. */
  iterations?: Optional<IterationLimits> | undefined;
  /** Whom to act for: a JID (RFC 6120 §6.3.8). Default the user itself. */
  authzid?: string | undefined;
  /** Stream management (XEP-0198): on with resumption, on without, or off. Default `resume`. */
  streamManagement?: 'resume' | 'ack' | 'off' | undefined;
}

const ITERATIONS: OptionTable<Partial<IterationLimits>> = {
  checks: { min: count, max: count },
  rule: ({ min = DEFAULT_ITERATION_LIMITS.min, max = DEFAULT_ITERATION_LIMITS.max }) =>
    min <= max ? [] : [`iterations.min of ${min} is above iterations.max of ${max}`],
};

/** What each option must be. */
export const XMPP_OPTIONS: OptionTable<XmppOptions> = {
  checks: {
    mechanisms: someOf(...MECHANISM_NAMES),
    channelBinding: oneOf('auto', 'none', ...CHANNEL_BINDING_TYPES),
    iterations: ITERATIONS,
    authzid: text,
    streamManagement: oneOf('resume', 'ack', 'off'),
  },
};
