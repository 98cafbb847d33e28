// SCRAM: RFC 5802, with SHA-256 (RFC 7677) and SHA-512, with and without channel binding; downgrade check of XEP-0474.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { saslError } from './errors.js';
import type { BindingPlan } from './binding-plan.js';
import { accountOf, type Mechanism, type MechanismSettings, type SaslExchange } from './mechanism.js';
import { offerText } from './offer.js';
import { prepare, readPassword, saslname } from './password.js';
import { hmac, sharedKeys, type ScramHash } from './scram-keys.js';
import { DEFAULT_ITERATION_LIMITS, readServerFinal, readServerFirst, type IterationLimits } from './scram-message.js';

/** Every SCRAM, best first. */
export const SCRAM = [
  scram('SCRAM-SHA-512-PLUS', 'sha512', true),
  scram('SCRAM-SHA-256-PLUS', 'sha256', true),
  scram('SCRAM-SHA-1-PLUS', 'sha1', true),
  scram('SCRAM-SHA-512', 'sha512', false),
  scram('SCRAM-SHA-256', 'sha256', false),
  scram('SCRAM-SHA-1', 'sha1', false),
] as const;

/** Errors a server-final message may name (RFC 5802 §7). */
const SERVER_ERRORS = new Set([
  'invalid-encoding',
  'extensions-not-supported',
  'invalid-proof',
  'channel-bindings-dont-match',
  'server-does-support-channel-binding',
  'channel-binding-not-supported',
  'unsupported-channel-binding-type',
  'unknown-user',
  'invalid-username-encoding',
  'no-resources',
  'other-error',
]);

function scram<Name extends string>(name: Name, hash: ScramHash, plus: boolean) {
  return {
    name,
    needs: plus ? ['password', 'username', 'channel-binding'] : ['password', 'username'],
    showsPassword: false,
    floor: 'sets',
    byDefault: 'always',
    run: (exchange, settings) => run(exchange, settings, hash, plus ? settings.binding.chosen : null),
  } as const satisfies Mechanism;
}

async function run(
  exchange: SaslExchange,
  settings: MechanismSettings,
  hash: ScramHash,
  binding: BindingPlan['chosen'],
): Promise<void> {
  const { authzid, signal } = settings;
  const flag = binding === null ? settings.binding.flag : `p=${binding.type}`;
  const identity = authzid === undefined ? '' : `a=${saslname(prepare(authzid, 'authorization identity'))}`;
  const header = `${flag},${identity},`;
  const nonce = randomBytes(24).toString('base64');
  const bare = `n=${saslname(prepare(settings.username, 'user name'))},r=${nonce}`;
  const first = readServerFirst(await exchange.challenge(Buffer.from(header + bare)), nonce, limitsOf(settings));
  checkOffer(first.offerHash, hash, settings);
  checkTlsVersion(first.tlsVersion, settings.tlsVersion ?? null);

  const password = prepare(await readPassword(settings.password), 'password');
  const { salt, iterations } = first;
  const keys = await sharedKeys.keys(accountOf(settings), { hash, salt, iterations, password });
  if (signal?.aborted === true) {
    throw saslError('SASL_ABORTED', 'the sign-in was given up', { origin: 'local', cause: signal.reason });
  }

  // The header exactly as it was sent, and the binding data (RFC 5802 §5.1 `c`).
  const bound = Buffer.concat([Buffer.from(header), binding?.data ?? Buffer.alloc(0)]).toString('base64');
  const withoutProof = `c=${bound},r=${first.nonce}`;
  const authMessage = `${bare},${first.text},${withoutProof}`;
  const clientSignature = hmac(hash, keys.storedKey, authMessage);
  const proof = Buffer.from(keys.clientKey.map((byte, i) => byte ^ (clientSignature[i] as number))).toString('base64');
  const { data } = await exchange.say(Buffer.from(`${withoutProof},p=${proof}`));
  checkSignature(data, hmac(hash, keys.serverKey, authMessage));
}

function limitsOf({ iterations }: MechanismSettings): IterationLimits {
  const { min, max } = DEFAULT_ITERATION_LIMITS;
  return { min: iterations?.min ?? min, max: iterations?.max ?? max };
}

function checkOffer(offerHash: string | null, hash: ScramHash, { offer, binding }: MechanismSettings): void {
  if (offerHash === null) {
    if (!binding.suspicious) return;
    throw saslError(
      'SASL_DOWNGRADE',
      'the server offers channel binding in ways that are not known here and does not sign its offer (XEP-0474): somebody may have changed it',
    );
  }
  const expected = createHash(hash).update(offerText(offer)).digest('base64');
  if (offerHash === expected) return;
  throw saslError(
    'SASL_DOWNGRADE',
    'the mechanisms or channel bindings that arrived are not those that the server signs (XEP-0474): somebody changed them on the way',
  );
}

/** Versions of TLS as they are on the wire (RFC 8446 §4.2.1). */
const TLS_VERSIONS: Readonly<Record<string, string>> = { 'TLSv1.3': '0304', 'TLSv1.2': '0303' };

/** Both sides of one connection have the same version of TLS (XEP-0515). A server that says none is not asked. */
function checkTlsVersion(theirs: string | null, ours: string | null): void {
  if (theirs === null || (ours !== null && theirs.toLowerCase() === TLS_VERSIONS[ours])) return;
  throw saslError(
    'SASL_DOWNGRADE',
    `the server signs that its side of the connection has another version of TLS than ours, ${ours ?? 'which has none'} (XEP-0515): somebody is in between`,
  );
}

/** The server has to show that it knows the password, with success or before it. */
function checkSignature(data: Buffer | null, expected: Buffer): void {
  if (data === null) {
    throw saslError(
      'SCRAM_SERVER_SIGNATURE',
      'the server reported success without its signature: it has not shown that it knows the password',
    );
  }
  const final = readServerFinal(data);
  if ('error' in final) {
    const condition = SERVER_ERRORS.has(final.error) ? final.error : 'other-error';
    throw saslError('SCRAM_SERVER_ERROR', `the server refused the sign-in: ${condition}`, {
      condition,
      text: final.error,
    });
  }
  const { signature } = final;
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
    throw saslError(
      'SCRAM_SERVER_SIGNATURE',
      "The server's signature is wrong: it does not know the password, or the messages were changed on the way.",
    );
  }
}
