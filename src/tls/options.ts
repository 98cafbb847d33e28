// The `tls` options of a broker, and what `node:tls` is told because of them (RFC 7590, RFC 9325).
import { X509Certificate, constants } from 'node:crypto';
import { createSecureContext, type ConnectionOptions } from 'node:tls';
import { flag, isText, oneOf, type Check } from '../arguments/checks.js';
import type { OptionTable } from '../arguments/options.js';
import { isA, isArray, kindOf, shown } from '../arguments/values.js';
import { hostName } from '../dial/host-name.js';

/** PEM text, or bytes of PEM. */
export type Pem = string | Buffer;

/** How a connection is protected. */
export interface TlsOptions {
  /**
   * `required`: TLS inside the stream or no connection; `preferred`: TLS where the server has it; `direct`: TLS from the
   * start; `disabled`: none. Default the dialect's.
   */
  readonly policy?: 'required' | 'preferred' | 'direct' | 'disabled' | undefined;
  /**
   * Authorities to trust, or the server's very certificate: one that stands here needs no chain, and may be self-signed
   * with CA:TRUE. Its time and its name are still checked. Default: Node's list.
   */
  readonly ca?: Pem | readonly Pem[] | undefined;
  /** Our certificate with its chain, for servers that ask for one. Needs `key`. Default none. */
  readonly cert?: Pem | undefined;
  /** Private key of `cert`. Default none. */
  readonly key?: Pem | undefined;
  /** Passphrase of `key`. Default none. */
  readonly passphrase?: string | undefined;
  /** Revocation lists of the authorities; with it, every certificate of the chain must be covered by one. Default none. */
  readonly crl?: Pem | readonly Pem[] | undefined;
  /** Server's name, asked for and looked for in the certificate. What is named here is trusted. Default the domain. */
  readonly servername?: string | undefined;
  /**
   * SHA-256 of the server's subject public key info in base64; the server's key must be one of them, besides all other
   * checks. `openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`. Default none.
   */
  readonly pin?: string | readonly string[] | undefined;
  /**
   * `true`: a key that is pinned is enough. Neither a trusted chain nor the domain's name is asked for then; the time
   * and the purpose of the certificate are still checked. Needs `pin`. Default false.
   */
  readonly pinOnly?: boolean | undefined;
  /** Oldest version of TLS that is used. Default `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
  /** Newest version of TLS that is used. Default: the newest there is. */
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
  /**
   * `true` accepts any certificate: whoever is in between can read and change everything. Passwords are not sent in
   * clear over such a connection. Pins are still checked. Nothing else turns the check off. Default false.
   */
  readonly insecureSkipVerify?: boolean | undefined;
}

/** What each option must be. No value of a key or passphrase is in a message. */
export const TLS_OPTIONS: OptionTable<TlsOptions> = {
  instead: (value) =>
    `must be an object, not ${kindOf(value)}${value === false ? ": without TLS is { policy: 'disabled' }" : ''}`,
  checks: {
    policy: oneOf('required', 'preferred', 'direct', 'disabled'),
    ca: eachPem(certificateProblem),
    cert: (value) => pem(value) ?? certificateProblem(value as Pem),
    key: pem,
    passphrase: (value) => (typeof value === 'string' ? null : 'must be a string'),
    crl: eachPem(crlProblem),
    servername: servernameProblem,
    pin: pinProblem,
    pinOnly: flag,
    minVersion: oneOf('TLSv1.2', 'TLSv1.3'),
    maxVersion: oneOf('TLSv1.2', 'TLSv1.3'),
    insecureSkipVerify: flag,
  },
  rule: (tls, given) => {
    const { minVersion, maxVersion, cert, key } = tls;
    const problems = pinOnlyProblems(tls, given);
    if (given.has('cert') !== given.has('key')) problems.push('tls.cert and tls.key are needed together');
    if (minVersion === 'TLSv1.3' && maxVersion === 'TLSv1.2') problems.push('tls.minVersion is above tls.maxVersion');
    if (cert !== undefined && key !== undefined && !readable(credentials(tls))) {
      problems.push('tls.key cannot be read, needs another passphrase, or is not the key of tls.cert');
    }
    return problems;
  },
};

/** What a pin alone stands for leaves no place for other ways to trust. */
function pinOnlyProblems({ pinOnly, insecureSkipVerify }: TlsOptions, given: ReadonlySet<string>): string[] {
  if (pinOnly !== true) return [];
  const problems = given.has('pin') ? [] : ['tls.pinOnly needs tls.pin: nothing would be trusted'];
  if (given.has('ca')) problems.push('tls.ca has no meaning with tls.pinOnly: leave one of them out');
  if (given.has('crl')) problems.push('tls.crl has no meaning with tls.pinOnly: leave one of them out');
  if (insecureSkipVerify === true) problems.push('tls.pinOnly and tls.insecureSkipVerify exclude each other');
  return problems;
}

/**
 * Options for `tls.connect`. TLS 1.2 or newer, Node's list of ciphers (none without encryption or authentication), no
 * renegotiation (RFC 6120 §5.3.5, RFC 9266 §4.2), no early data, and no resumption of earlier sessions: each connection
 * does a full handshake, in which the server proves itself anew.
 *
 * The chain is checked by OpenSSL; whose certificate it is, we check ourselves after the handshake, because Node knows
 * neither SRV-ID nor XmppAddr.
 *
 * @param domain - asked for in the handshake (SNI, RFC 6066 §3), unless it is an IP address
 * @param alpn - protocol to negotiate, `xmpp-client` for a client's direct TLS (XEP-0368 §4), else null
 * @param tls - checked with {@link TLS_OPTIONS}
 * @throws BrokerError `USAGE_DOMAIN`
 */
export function secureContextOptions(tls: TlsOptions, domain: string, alpn: string | null = null): ConnectionOptions {
  const { name, family } = hostName(tls.servername ?? domain);
  return {
    minVersion: tls.minVersion ?? 'TLSv1.2',
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
    ...(family === 0 ? { servername: name } : { servername: '' }),
    ...(alpn === null ? {} : { ALPNProtocols: [alpn] }),
    ...credentials(tls),
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    rejectUnauthorized: tls.insecureSkipVerify !== true,
    checkServerIdentity: () => undefined,
  };
}

/** The pins of the options as a list. */
export function pinsOf({ pin }: TlsOptions): readonly string[] {
  if (pin === undefined) return [];
  return typeof pin === 'string' ? [pin] : pin;
}

/** Every certificate in some PEM, in DER. */
export function certificatesIn(pem: Pem | readonly Pem[]): Buffer[] {
  return list(pem)
    .flatMap(pemBlocks)
    .map((block) => Buffer.from(block.replace(/-----[^-]*-----/g, ''), 'base64'));
}

function pemBlocks(pem: Pem): string[] {
  return pem.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

function credentials({ ca, cert, key, passphrase, crl }: TlsOptions) {
  return {
    ...(ca === undefined ? {} : { ca: list(ca) }),
    ...(crl === undefined ? {} : { crl: list(crl) }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
}

function list(pem: Pem | readonly Pem[]): Pem[] {
  return typeof pem === 'string' || Buffer.isBuffer(pem) ? [pem] : [...pem];
}

/** PEM text, or bytes of it. The value is in no message. */
export function pem(value: unknown): string | null {
  if ((typeof value === 'string' && looksLikePath(value)) || isA(value, URL)) {
    return 'looks like a path: give what is in the file, which readFileSync() of node:fs reads';
  }
  return isText(value) || (Buffer.isBuffer(value) && value.length > 0) ? null : 'must be PEM text or a Buffer of it';
}

/** PEM has lines; a path has one, which begins or ends like a path. */
function looksLikePath(value: string): boolean {
  return /^(?!-----)(?:(?:file:|~|\.{0,2}[/\\]|[a-z]:[/\\]).*|.*\.(?:pem|crt|cer|key|der|crl|p12|pfx))$/i.test(value);
}

function eachPem(problem: (pem: Pem) => string | null): Check {
  return (value) => {
    const all: readonly unknown[] = isArray(value) ? value : [value];
    if (all.length === 0) return 'must not be an empty list: nothing would be trusted';
    for (const one of all) {
      const found = pem(one) ?? problem(one as Pem);
      if (found !== null) return found;
    }
    return null;
  };
}

/** Node ignores what it cannot read among authorities, so it is read here first. */
function certificateProblem(pem: Pem): string | null {
  const blocks = pemBlocks(pem);
  if (blocks.length === 0) return 'has no certificate in PEM (-----BEGIN CERTIFICATE-----)';
  try {
    for (const block of blocks) new X509Certificate(block);
    return null;
  } catch {
    return 'has a certificate that cannot be read';
  }
}

function crlProblem(crl: Pem): string | null {
  return readable({ crl }) ? null : 'has a revocation list that cannot be read';
}

/** Whether OpenSSL takes them. Its own words are not passed on. */
function readable(options: Parameters<typeof createSecureContext>[0]): boolean {
  try {
    createSecureContext({ ca: [], ...options });
    return true;
  } catch {
    return false;
  }
}

function servernameProblem(value: unknown): string | null {
  try {
    hostName(value as string);
    return null;
  } catch {
    return `must be the name of a server, such as xmpp.example.org, not ${shown(value)}`;
  }
}

function pinProblem(value: unknown): string | null {
  const all: readonly unknown[] = isArray(value) ? value : [value];
  const good = all.every((pin) => typeof pin === 'string' && /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(pin));
  return good && all.length > 0
    ? null
    : 'must be the SHA-256 of a public key in base64 (44 characters), or a list of them';
}
