// Every SASL mechanism of the client. A new one is a file of its own and its name here.
import { ANONYMOUS } from './anonymous.js';
import { DIGEST_MD5 } from './digest-md5.js';
import { EXTERNAL } from './external.js';
import type { Mechanism } from './mechanism.js';
import { OAUTHBEARER } from './oauthbearer.js';
import { PLAIN } from './plain.js';
import { SCRAM } from './scram.js';

/** The list, best first. */
const ROWS = [EXTERNAL, ...SCRAM, OAUTHBEARER, DIGEST_MD5, PLAIN, ANONYMOUS] as const;

/** Every mechanism there is. */
export type MechanismName = (typeof ROWS)[number]['name'];

export const MECHANISMS: readonly (Mechanism & { readonly name: MechanismName })[] = ROWS;

export const MECHANISM_NAMES: readonly MechanismName[] = MECHANISMS.map(({ name }) => name);

/** What a client uses unless it is told otherwise, best first. */
export function defaultMechanisms(clientCertificate: boolean): readonly MechanismName[] {
  return MECHANISMS.filter(
    ({ byDefault }) => byDefault === 'always' || (byDefault === 'with-certificate' && clientCertificate),
  ).map(({ name }) => name);
}
