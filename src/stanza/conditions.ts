/** What is to be done about a stanza error (RFC 6120 §8.3.2). */
export type StanzaErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait';

/** The types, for messages. */
export const STANZA_ERROR_TYPES: readonly StanzaErrorType[] = ['auth', 'cancel', 'continue', 'modify', 'wait'];

/** Whether that is a type of stanza errors. */
export function isStanzaErrorType(value: unknown): value is StanzaErrorType {
  return STANZA_ERROR_TYPES.includes(value as StanzaErrorType);
}

/** The defined conditions of stanza errors, each with the type it has unless another is given (RFC 6120 §8.3.3). */
export const STANZA_ERROR_CONDITIONS = {
  'bad-request': 'modify',
  conflict: 'cancel',
  'feature-not-implemented': 'cancel',
  forbidden: 'auth',
  gone: 'cancel',
  'internal-server-error': 'cancel',
  'item-not-found': 'cancel',
  'jid-malformed': 'modify',
  'not-acceptable': 'modify',
  'not-allowed': 'cancel',
  'not-authorized': 'auth',
  'policy-violation': 'modify',
  'recipient-unavailable': 'wait',
  redirect: 'modify',
  'registration-required': 'auth',
  'remote-server-not-found': 'cancel',
  'remote-server-timeout': 'wait',
  'resource-constraint': 'wait',
  'service-unavailable': 'cancel',
  'subscription-required': 'auth',
  'undefined-condition': 'cancel',
  'unexpected-request': 'wait',
} as const satisfies Record<string, StanzaErrorType>;

/** Name of a defined condition. */
export type StanzaErrorCondition = keyof typeof STANZA_ERROR_CONDITIONS;

/** Whether that is a defined condition. */
export function isStanzaErrorCondition(value: unknown): value is StanzaErrorCondition {
  return typeof value === 'string' && Object.hasOwn(STANZA_ERROR_CONDITIONS, value);
}
