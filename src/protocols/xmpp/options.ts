// Options of the XMPP dialect.
import type { Optional } from '../../arguments/optional.js';
import { count, must, oneOf, someOf, text } from '../../arguments/checks.js';
import type { OptionTable } from '../../arguments/options.js';
import { CHANNEL_BINDING_TYPES, type ChannelBindingType } from '../../tls/channel-binding.js';
import { DEFAULT_ITERATION_LIMITS, type IterationLimits } from '../sasl/scram-message.js';
import { MECHANISM_NAMES, type MechanismName } from '../sasl/mechanisms.js';
import { FAST_OPTIONS, type FastOptions } from '../fast/token-store.js';
import type { Sasl2Use } from '../sasl/profile-choice.js';
import { USER_AGENT, type UserAgent } from './user-agent.js';

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
  /**
   * SASL2 (XEP-0388), which signs in with fewer round trips and resumes a session with the sign-in: used inside TLS where the
   * server offers it and its other profile has no better mechanism; `off`: never; `required`: or the attempt fails.
   * Default `auto`.
   */
  sasl2?: Sasl2Use | undefined;
  /**
   * Bind 2 (XEP-0386): binds with the sign-in where SASL2 offers it. **Messages can be lost by it**: a server may delete what
   * it kept while nobody was there, since it expects the client to read the archive (XEP-0313), which this library does not do by
   * itself. The server makes up the resource: the broker's option `resource` cannot be given. Default `off`.
   */
  bind2?: 'on' | 'off' | undefined;
  /** What is told of this client with SASL2. Default: an id that is made up for each broker, and the name of this library. */
  userAgent?: UserAgent | 'none' | undefined;
  /** Begins the resource that the server makes up with Bind 2. No name of a user or machine belongs there. Default `xmpp-broker`. */
  tag?: string | undefined;
  /**
   * Tokens for the next sign-in (FAST, XEP-0484): with one of the store no password is needed, and a sign-in takes a round trip
   * less. One that the server refuses is forgotten, and the password is used. Needs SASL2 and a verified certificate. Default `off`.
   */
  fast?: FastOptions | 'off' | undefined;
}

const TAG = /^[A-Za-z0-9._-]{1,32}$/;

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
    sasl2: oneOf('auto', 'off', 'required'),
    bind2: oneOf('on', 'off'),
    userAgent: USER_AGENT,
    fast: FAST_OPTIONS,
    tag: must(
      '1 to 32 letters, digits, dots, hyphens or underscores',
      (value) => typeof value === 'string' && TAG.test(value),
    ),
  },
  rule: ({ sasl2, bind2, fast = 'off', userAgent }) => [
    ...(sasl2 === 'off' && bind2 === 'on' ? ["bind2: 'on' needs SASL2, which sasl2: 'off' forbids"] : []),
    ...(sasl2 === 'off' && fast !== 'off' ? ["fast needs SASL2, which sasl2: 'off' forbids"] : []),
    ...(userAgent === 'none' && fast !== 'off' ? ["fast needs a user agent, which userAgent: 'none' leaves out"] : []),
  ],
};
