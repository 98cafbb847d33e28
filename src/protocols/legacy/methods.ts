// How jabber:iq:auth proves the password: XEP-0078 §3, and the zero-knowledge method of jabberd 1 (jabber:iq:auth:0k).
import { createHash } from 'node:crypto';
import { BrokerError } from '../../errors.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';

/**
 * A way to prove the password.
 * - `zero-k`: a hash from a chain that the server knows one link further (`<sequence/>` and `<token/>`)
 * - `digest`: a hash of stream id and password
 * - `password`: the password itself
 */
export type LegacyMethod = 'zero-k' | 'digest' | 'password';

/** Every method, best first. */
export const LEGACY_METHODS: readonly LegacyMethod[] = Object.freeze(['zero-k', 'digest', 'password']);

/** Longest chain of hashes that is computed; servers begin with some hundreds. */
const SEQUENCE_LIMIT = 10_000;

/** What makes one sign-in. */
export interface LegacyProof {
  /** Id of the stream. */
  readonly sid: string;
  readonly password: string;
}

/** The method that will be used, and the field that proves the password with it. */
export interface ChosenMethod {
  readonly method: LegacyMethod;
  readonly field: (proof: LegacyProof) => Element;
}

/**
 * Chooses the first of our methods that the server's fields allow.
 * @param query the `<query/>` of the server's answer to the request for the fields
 * @param allowsPassword whether the password itself may be sent on this link
 * @throws BrokerError `LEGACY_NO_METHOD`, or `LEGACY_PLAINTEXT_REFUSED` when only the password itself is left and may not be sent
 */
export function chooseMethod(query: Element, methods: readonly LegacyMethod[], allowsPassword: boolean): ChosenMethod {
  const offered = offeredMethods(query);
  for (const method of methods) {
    const field = offered.get(method);
    if (field === undefined) continue;
    if (method === 'password' && !allowsPassword) {
      throw new BrokerError(
        'LEGACY_PLAINTEXT_REFUSED',
        "the server takes only the password itself, and the link has no verified TLS; LEGACY.with({ allowPlaintextPassword: 'over-unverified-link' }) would send it",
        { layer: 'sasl', origin: 'peer' },
      );
    }
    return { method, field };
  }
  const names = [...offered.keys()].join(', ') || 'none that is known';
  throw new BrokerError(
    'LEGACY_NO_METHOD',
    `the server offers no method of jabber:iq:auth that may be used here. Offered: ${names}. Allowed: ${methods.join(', ')}`,
    { layer: 'sasl', origin: 'peer' },
  );
}

function offeredMethods(query: Element): Map<LegacyMethod, (proof: LegacyProof) => Element> {
  const offered = new Map<LegacyMethod, (proof: LegacyProof) => Element>();
  const token = query.getChildText('token', NS.IQ_AUTH);
  const sequence = readSequence(query.getChildText('sequence', NS.IQ_AUTH));
  if (token !== null && token !== '' && sequence !== null) {
    offered.set('zero-k', ({ password }) => xml('hash', {}, zeroKnowledge(password, token, sequence)));
  }
  if (query.getChild('digest', NS.IQ_AUTH) !== null) {
    offered.set('digest', ({ sid, password }) => xml('digest', {}, sha1(sid + password)));
  }
  if (query.getChild('password', NS.IQ_AUTH) !== null) {
    offered.set('password', ({ password }) => xml('password', {}, password));
  }
  return offered;
}

/** Link number `sequence` of the chain that begins with the hashes of password and token. */
export function zeroKnowledge(password: string, token: string, sequence: number): string {
  let hash = sha1(sha1(password) + token);
  for (let link = 0; link < sequence; link += 1) hash = sha1(hash);
  return hash;
}

/** Lower-case hex SHA-1 of the text in UTF-8. */
export function sha1(text: string): string {
  return createHash('sha1').update(text, 'utf8').digest('hex');
}

function readSequence(text: string | null): number | null {
  if (text === null || !/^\s*\d{1,6}\s*$/.test(text)) return null;
  const sequence = Number(text);
  return sequence <= SEQUENCE_LIMIT ? sequence : null;
}
