// Who may talk to a console: somebody with its token, from a page of its own, at an address that nobody else can name.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/** A token: 256 random bits. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/** Headers of everything that a console sends. Nothing from elsewhere, nothing in the markup, nothing made of text. */
export const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Cache-Control': 'no-store',
};

/** Why a request is refused. */
export interface Refused {
  readonly status: number;
  readonly code: string;
  readonly error: string;
}

/** Checks requests. */
export class Guard {
  readonly #token: Buffer;
  readonly #host: string;

  /** @param host where the console listens */
  constructor(token: string, host: string) {
    this.#token = digest(token);
    this.#host = host.toLowerCase();
  }

  /**
   * Why a request is refused, whatever it asks for; null: it is not. A name of somebody else's that leads here is one of DNS
   * rebinding. An address is none; the port is not looked at, so that the console can be reached through a tunnel.
   */
  refuses({ host, origin, 'sec-fetch-site': site }: IncomingHttpHeaders): Refused | null {
    const name = nameOf(host);
    if (name === null || !this.#isOurs(name)) {
      return { status: 421, code: 'wrong-host', error: 'the console does not answer under this name' };
    }
    const foreign = origin !== undefined && origin.toLowerCase() !== `http://${String(host).toLowerCase()}`;
    if (foreign || (site !== undefined && site !== 'same-origin' && site !== 'none')) {
      return { status: 403, code: 'wrong-origin', error: 'the console answers only to its own page' };
    }
    return null;
  }

  /** The same of a request for more than the page: it needs the token, and an order needs to say where it comes from. */
  refusesAccess({ authorization, origin }: IncomingHttpHeaders, isOrder: boolean): Refused | null {
    const [, token] = /^Bearer ([\w-]{1,128})$/.exec(authorization ?? '') ?? [];
    if (token === undefined || !timingSafeEqual(digest(token), this.#token)) {
      return {
        status: 401,
        code: 'wrong-token',
        error: 'the token is missing or wrong: open the address that was printed',
      };
    }
    if (isOrder && origin === undefined) {
      return { status: 403, code: 'wrong-origin', error: 'the console takes orders only from its own page' };
    }
    return null;
  }

  #isOurs(name: string): boolean {
    return name === 'localhost' || name === this.#host || isIP(name) !== 0;
  }
}

/** The name of a host without its port, and without the brackets of an IPv6 address. */
function nameOf(host: string | undefined): string | null {
  const [, six, name] = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::\d{1,5})?$/i.exec(host ?? '') ?? [];
  return (six ?? name)?.toLowerCase() ?? null;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
