// Options of the XMPP dialect.
import { isRecord, kindOf, shown } from '../../arguments/arguments.js';
import { usageError } from '../../errors.js';
import { CHANNEL_BINDING_TYPES, type ChannelBindingType } from '../../tls/channel-binding.js';
import { DEFAULT_ITERATION_LIMITS, type IterationLimits } from '../sasl/scram-message.js';
import { mechanismsProblem, type MechanismName } from '../sasl/mechanisms.js';

/** Options of the XMPP dialect, given with {@link XmppDialect.with}. */
export interface XmppOptions {
  /**
   * The only SASL mechanisms that may be used, best first. Default: SCRAM-SHA-512, -256 and -1, each with channel
   * binding first, then PLAIN on verified TLS; before them EXTERNAL when `tls.cert` is given.
   */
  mechanisms?: readonly MechanismName[];
  /** Channel binding for SCRAM: `auto`, `none`, or a type to use though the server does not list it. Default `auto`. */
  channelBinding?: 'auto' | 'none' | ChannelBindingType;
  /** Bounds of SCRAM's iteration count. Default 4 096 to 1 000 000. */
  iterations?: Partial<IterationLimits>;
  /** Whom to act for, when it is not the user (RFC 6120 §6.3.8). */
  authzid?: string;
  /** Stream management (XEP-0198): on with resumption, on without, or off. Default `resume`. */
  streamManagement?: 'resume' | 'ack' | 'off';
}

/** Each option with its check: what is wrong with a value that is not undefined, or null. */
const CHECKS: Readonly<Record<keyof XmppOptions, (value: unknown) => string | null>> = {
  mechanisms: mechanismsProblem,
  channelBinding: oneOf('auto', 'none', ...CHANNEL_BINDING_TYPES),
  iterations: iterationsProblem,
  authzid: (value) => (typeof value === 'string' && value !== '' ? null : 'must be a string that is not empty'),
  streamManagement: oneOf('resume', 'ack', 'off'),
};

/** @throws BrokerError `USAGE_XMPP_OPTIONS` */
export function checkXmppOptions(options: XmppOptions): XmppOptions {
  if (!isRecord(options)) {
    throw usageError('USAGE_XMPP_OPTIONS', `XMPP.with() takes an object of options, not ${kindOf(options)}`);
  }
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(CHECKS, key)) {
      const known = Object.keys(CHECKS).join(', ');
      throw usageError('USAGE_XMPP_OPTIONS', `XMPP.with() has no option ${shown(key)}; there are ${known}`);
    }
    const problem = value === undefined ? null : CHECKS[key as keyof XmppOptions](value);
    if (problem !== null) throw usageError('USAGE_XMPP_OPTIONS', `XMPP.with({ ${key} }) ${problem}`);
  }
  return options;
}

function iterationsProblem(value: unknown): string | null {
  if (!isRecord(value)) return 'must be an object with min, max or both';
  const unknown = Object.keys(value).find((key) => key !== 'min' && key !== 'max');
  if (unknown !== undefined) return `has ${shown(unknown)}; there are min and max`;
  const { min = DEFAULT_ITERATION_LIMITS.min, max = DEFAULT_ITERATION_LIMITS.max } = value;
  if (!isCount(min) || !isCount(max)) return 'must have whole numbers of at least 1';
  return min <= max ? null : `has a min of ${String(min)} above the max of ${String(max)}`;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function oneOf(...allowed: readonly string[]): (value: unknown) => string | null {
  const wanted = `must be ${allowed.map((one) => `'${one}'`).join(', ')}`;
  return (value) => (allowed.includes(value as string) ? null : `${wanted}, not ${shown(value)}`);
}
