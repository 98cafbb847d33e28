/** Facts of a TLS connection. */
export interface TlsFacts {
  /** For example `TLSv1.3`. */
  version: string;
  cipher: string;
  /** SHA-256 of the server's certificate, upper-case hex with colons. */
  fingerprint256: string;
  /** Name of the certificate that matched, for example `DNS:example.org`, or `none` when nothing was checked. */
  verifiedBy: string;
  /** Whether chain and name were both checked. */
  verified: boolean;
  alpn: string | null;
}
