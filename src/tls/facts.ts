/** Facts of a TLS connection. */
export interface TlsFacts {
  /** For example `TLSv1.3`. */
  version: string;
  cipher: string;
  /** SHA-256 of the server's certificate, upper-case hex with colons. */
  fingerprint256: string;
  /**
   * Name of the certificate that matched, for example `DNS:example.org`; `PIN:` and the pin when that alone decides
   * (`tls.pinOnly`); `none` when nothing was checked.
   */
  verifiedBy: string;
  /** Whether the server is known to be the right one: by chain and name, or by its pin alone. */
  verified: boolean;
  alpn: string | null;
}
