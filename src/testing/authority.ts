import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type * as X509 from '@peculiar/x509';
import { usageError } from '../errors.js';
import { withReflectMetadata } from './reflect.js';

/** A certificate and its key, both PEM. */
export interface LoopbackIdentity {
  readonly cert: string;
  readonly key: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY = 24 * 60 * 60 * 1000;
const YEARS = 10 * 365 * DAY;

/** BIT STRINGs of RFC 5280 §4.2.1.3: keyCertSign and cRLSign, or digitalSignature. */
const CA_USAGE = Buffer.from([0x03, 0x02, 0x01, 0b0000_0110]);
const LEAF_USAGE = Buffer.from([0x03, 0x02, 0x07, 0b1000_0000]);
const KEY_USAGE = '2.5.29.15';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const SUBJECT_ALT_NAME = '2.5.29.17';

/** A certificate authority made for one server. It is trusted by nobody who is not told to. */
export class Authority {
  private constructor(
    /** PEM of the root certificate: what clients are to trust. */
    readonly ca: string,
    private readonly x509: typeof X509,
    private readonly keys: webcrypto.CryptoKeyPair,
  ) {}

  /** @throws BrokerError `USAGE_LOOPBACK_TLS` when the package `@peculiar/x509` is not installed */
  static async create(): Promise<Authority> {
    const x509 = await loadX509();
    const keys = await generateKeys();
    const ca = await certificate(x509, keys, 'Loopback server authority', keys.publicKey, [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.Extension(KEY_USAGE, true, CA_USAGE),
    ]);
    return new Authority(ca, x509, keys);
  }

  /** A certificate for a server of these domain names and IP addresses. */
  server(names: readonly string[]): Promise<LoopbackIdentity> {
    const { x509 } = this;
    const entries = names.map((name): X509.JsonGeneralName => {
      return isIP(name) === 0 ? { type: 'dns', value: domainToASCII(name) || name } : { type: 'ip', value: name };
    });
    return this.#issue(names[0] ?? 'localhost', SERVER_AUTH, new x509.SubjectAlternativeNameExtension(entries));
  }

  /** A certificate that names an XMPP address, as a client shows it for EXTERNAL (RFC 6120 §13.7.1.4). */
  client(address: string): Promise<LoopbackIdentity> {
    return this.#issue(address, CLIENT_AUTH, new this.x509.Extension(SUBJECT_ALT_NAME, false, xmppAddress(address)));
  }

  async #issue(commonName: string, usage: string, names: X509.Extension): Promise<LoopbackIdentity> {
    const { x509 } = this;
    const keys = await generateKeys();
    const cert = await certificate(x509, this.keys, commonName, keys.publicKey, [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.Extension(KEY_USAGE, true, LEAF_USAGE),
      new x509.ExtendedKeyUsageExtension([usage]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(this.keys.publicKey),
      names,
    ]);
    const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    return { cert, key: `-----BEGIN PRIVATE KEY-----\n${wrapped(key)}\n-----END PRIVATE KEY-----\n` };
  }
}

async function loadX509(): Promise<typeof X509> {
  try {
    return await withReflectMetadata(() => import('@peculiar/x509'));
  } catch (cause) {
    throw usageError(
      'USAGE_LOOPBACK_TLS',
      'the loopback server makes its certificate with the package @peculiar/x509, which cannot be loaded: install it, or give tls.cert and tls.key, or say tls: false',
      { cause },
    );
  }
}

async function certificate(
  x509: typeof X509,
  issuer: webcrypto.CryptoKeyPair,
  commonName: string,
  publicKey: webcrypto.CryptoKey,
  extensions: X509.Extension[],
): Promise<string> {
  const made = await x509.X509CertificateGenerator.create({
    subject: new x509.Name([{ CN: [commonName] }]).toString(),
    issuer: new x509.Name([{ CN: ['Loopback server authority'] }]).toString(),
    notBefore: new Date(Date.now() - DAY),
    notAfter: new Date(Date.now() + YEARS),
    publicKey,
    signingKey: issuer.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions,
  });
  return `${made.toString('pem')}\n`;
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** GeneralNames with one XmppAddr: SEQUENCE { [0] { OID id-on-xmppAddr, [0] { UTF8String } } }. */
function xmppAddress(address: string): Buffer {
  const oid = Buffer.from([0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x05]);
  const value = der(0xa0, der(0x0c, Buffer.from(address)));
  return der(0x30, der(0xa0, Buffer.concat([oid, value])));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const header = length < 0x80 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), content]);
}

function wrapped(data: Buffer): string {
  return (data.toString('base64').match(/.{1,64}/g) ?? []).join('\n');
}
