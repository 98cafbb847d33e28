// Every SASL mechanism of the loopback server. A new one is a file of its own and its name here.
import { ANONYMOUS } from './anonymous.js';
import { DIGEST_MD5 } from './digest-md5.js';
import { EXTERNAL } from './external.js';
import type { ServerMechanism } from './mechanism.js';
import { OAUTHBEARER } from './oauthbearer.js';
import { PLAIN } from './plain.js';
import { SCRAM } from './scram.js';

/** The list, in the order in which they are offered unless an option says otherwise. */
export const MECHANISMS: readonly ServerMechanism[] = [...SCRAM, PLAIN, DIGEST_MD5, EXTERNAL, OAUTHBEARER, ANONYMOUS];

/** What is offered unless an option says otherwise. */
export function defaultMechanisms(tls: boolean): readonly string[] {
  return MECHANISMS.filter(({ byDefault }) => byDefault === 'always' || (byDefault === 'tls' && tls)).map(
    ({ name }) => name,
  );
}
