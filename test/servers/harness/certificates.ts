import './reflect-metadata.js';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { der, oid, sequence, string } from './der.js';

/**
 * Certificates for tests, good ones and bad ones. A {@link TestAuthority} signs; {@link selfSigned} needs none.
 * Keys are P-256 unless asked otherwise, so that a certificate costs about a millisecond.
 */

export type KeyKind =
  'p256' | 'p384' | 'p521' | 'rsa' | 'rsa-768' | 'rsa-sha384' | 'rsa-sha512' | 'rsa-pss' | 'ed25519';

/** One entry of the subjectAltName extension (RFC 5280 §4.2.1.6; RFC 6120 §13.7.1 for `srv` and `xmpp`). */
export type SubjectName =
  | { readonly dns: string }
  | { readonly ip: string }
  /** SRVName (RFC 4985), such as `_xmpp-client.broker.test`. */
  | { readonly srv: string }
  /** XmppAddr (RFC 6120 §13.7.1.4), such as `broker.test`. */
  | { readonly xmpp: string }
  | { readonly uri: string }
  | { readonly email: string }
  /** A GeneralName as it is, for malformed ones. */
  | { readonly raw: Uint8Array };

export interface CertificateOptions {
  /** Common name of the subject. Default `broker.test`; an empty string gives an empty subject. */
  readonly commonName?: string;
  /** Default {@link SERVER_NAMES}. An empty list leaves the extension out. */
  readonly names?: readonly SubjectName[];
  /** Default an hour ago. */
  readonly notBefore?: Date;
  /** Default in ten years. */
  readonly notAfter?: Date;
  /** CA:TRUE in basicConstraints; wrong for a server. Default false. */
  readonly ca?: boolean;
  /** Extended key usages: OIDs or these two names. Default both; null leaves the extension out. */
  readonly usages?: readonly string[] | null;
  readonly key?: KeyKind;
  /** Further extensions: `value` is the DER inside the OCTET STRING. */
  readonly extensions?: readonly { readonly oid: string; readonly critical?: boolean; readonly value: Uint8Array }[];
}

/** A certificate and its key, ready for `tls.createServer` and for servers' PEM files. */
export interface Identity {
  /** PEM: the certificate, then the intermediate authorities below the root. */
  readonly cert: string;
  /** PEM, PKCS #8, not encrypted. */
  readonly key: string;
  /** The certificate alone. */
  readonly der: Buffer;
}

/** What the test servers are called. */
export const SERVER_NAMES: readonly SubjectName[] = [
  { dns: 'localhost' },
  { dns: '*.localhost' },
  { dns: 'broker.test' },
  { dns: '*.broker.test' },
  { ip: '127.0.0.1' },
];

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

/** keyUsage (RFC 5280 §4.2.1.3): digitalSignature and keyEncipherment; digitalSignature, keyCertSign and cRLSign. */
const LEAF_USAGE = der(0x03, Buffer.of(5, 0b1010_0000));
const CA_USAGE = der(0x03, Buffer.of(1, 0b1000_0110));

/** extKeyUsage by name. */
const USAGES: Readonly<Record<string, string>> = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
};

const rsa = (name: string, hash: string, modulusLength = 2048) => ({
  name,
  hash,
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength,
  saltLength: 32,
});

type KeyAlgorithm = webcrypto.RsaHashedKeyGenParams | webcrypto.EcKeyGenParams | webcrypto.Algorithm;

const ALGORITHMS: Readonly<Record<KeyKind, KeyAlgorithm>> = {
  p256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  p384: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  p521: { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
  rsa: rsa('RSASSA-PKCS1-v1_5', 'SHA-256'),
  'rsa-768': rsa('RSASSA-PKCS1-v1_5', 'SHA-256', 768),
  'rsa-sha384': rsa('RSASSA-PKCS1-v1_5', 'SHA-384'),
  'rsa-sha512': rsa('RSASSA-PKCS1-v1_5', 'SHA-512'),
  'rsa-pss': rsa('RSA-PSS', 'SHA-256'),
  ed25519: { name: 'Ed25519' },
};

interface Issuer {
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly algorithm: KeyAlgorithm;
  /** PEM of the certificates between the leaf and the root, nearest first. */
  readonly chain: string;
}

/** A certificate authority of its own: `ca` is what clients must trust. */
export class TestAuthority {
  private constructor(
    /** PEM of the root certificate. */
    readonly ca: string,
    private readonly issuer: Issuer,
  ) {}

  static async create(options: { readonly commonName?: string; readonly key?: KeyKind } = {}): Promise<TestAuthority> {
    const { commonName = 'Test authority', key = 'p256' } = options;
    const algorithm = ALGORITHMS[key];
    const keys = await generateKeys(algorithm);
    const issuer: Issuer = { name: distinguishedName(commonName), keys, algorithm, chain: '' };
    const root = await sign({ commonName, names: [], usages: null, ca: true }, keys.publicKey, issuer);
    return new TestAuthority(pem('CERTIFICATE', root), issuer);
  }

  /** Signs a certificate for a server or a client. */
  async issue(options: CertificateOptions = {}): Promise<Identity> {
    const keys = await generateKeys(ALGORITHMS[options.key ?? 'p256']);
    return identity(await sign(options, keys.publicKey, this.issuer), keys, this.issuer.chain);
  }

  /** An authority signed by this one. Its certificates carry it in their chain; clients still trust the root. */
  async intermediate(options: CertificateOptions = {}): Promise<TestAuthority> {
    const { commonName = 'Intermediate authority', key = 'p256' } = options;
    const algorithm = ALGORITHMS[key];
    const keys = await generateKeys(algorithm);
    const wanted = { names: [], usages: null, ca: true, ...options, commonName };
    const certificate = pem('CERTIFICATE', await sign(wanted, keys.publicKey, this.issuer));
    const chain = certificate + this.issuer.chain;
    return new TestAuthority(this.ca, { name: distinguishedName(commonName), keys, algorithm, chain });
  }

  /** PEM of the list of certificates that this authority has revoked. */
  async revocationList(...revoked: readonly Identity[]): Promise<string> {
    const crl = await x509.X509CrlGenerator.create({
      issuer: this.issuer.name,
      thisUpdate: new Date(Date.now() - HOUR),
      nextUpdate: new Date(Date.now() + YEAR),
      signingKey: this.issuer.keys.privateKey,
      signingAlgorithm: this.issuer.algorithm,
      entries: revoked.map(({ der: certificate }) => new x509.X509Certificate(certificate)),
    });
    return pem('X509 CRL', Buffer.from(crl.rawData));
  }
}

/** A certificate that nobody but itself vouches for. */
export async function selfSigned(options: CertificateOptions = {}): Promise<Identity> {
  const algorithm = ALGORITHMS[options.key ?? 'p256'];
  const keys = await generateKeys(algorithm);
  const name = distinguishedName(options.commonName ?? 'broker.test');
  return identity(await sign(options, keys.publicKey, { name, keys, algorithm, chain: '' }), keys, '');
}

async function sign(options: CertificateOptions, publicKey: webcrypto.CryptoKey, issuer: Issuer): Promise<Buffer> {
  const { commonName = 'broker.test', names = SERVER_NAMES, ca = false, extensions = [] } = options;
  const { usages = ['serverAuth', 'clientAuth'] } = options;
  const all = [
    new x509.BasicConstraintsExtension(ca, undefined, true),
    new x509.Extension('2.5.29.15', true, ca ? CA_USAGE : LEAF_USAGE),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
    ...extensions.map((extension) => new x509.Extension(extension.oid, extension.critical ?? false, extension.value)),
  ];
  if (usages !== null) all.push(new x509.ExtendedKeyUsageExtension(usages.map((usage) => USAGES[usage] ?? usage)));
  if (names.length > 0) all.push(new x509.Extension('2.5.29.17', false, sequence(...names.map(generalName))));
  const certificate = await x509.X509CertificateGenerator.create({
    subject: distinguishedName(commonName),
    issuer: issuer.name,
    notBefore: options.notBefore ?? new Date(Date.now() - HOUR),
    notAfter: options.notAfter ?? new Date(Date.now() + 10 * YEAR),
    publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: issuer.algorithm,
    extensions: all,
  });
  return Buffer.from(certificate.rawData);
}

/** GeneralName (RFC 5280 §4.2.1.6). */
function generalName(name: SubjectName): Buffer {
  if ('dns' in name) return string(0x82, name.dns);
  if ('srv' in name) return otherName('1.3.6.1.5.5.7.8.7', string(0x16, name.srv));
  if ('xmpp' in name) return otherName('1.3.6.1.5.5.7.8.5', string(0x0c, name.xmpp));
  if ('uri' in name) return string(0x86, name.uri);
  if ('email' in name) return string(0x81, name.email);
  if ('ip' in name) return der(0x87, addressBytes(name.ip));
  return Buffer.from(name.raw);
}

/** An otherName of any type: `value` is the DER of what it holds. Usable as `raw` in {@link SubjectName}. */
export function otherName(type: string, value: Uint8Array): Buffer {
  return der(0xa0, oid(type), der(0xa0, value));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const zeros = new Array<string>(8 - left.length - right.length).fill('0');
  return Buffer.from([...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

function distinguishedName(commonName: string): string {
  return commonName === '' ? '' : new x509.Name([{ CN: [commonName] }]).toString();
}

async function generateKeys(algorithm: KeyAlgorithm): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

async function identity(certificate: Buffer, keys: webcrypto.CryptoKeyPair, chain: string): Promise<Identity> {
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return { cert: pem('CERTIFICATE', certificate) + chain, key: pem('PRIVATE KEY', key), der: certificate };
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
