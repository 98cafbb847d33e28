// OAUTHBEARER: RFC 7628. The token itself goes to the server, so it is used over verified TLS only.
import { printable, usageError } from '../../errors.js';
import { notAuthenticated, unexpected, type Mechanism } from './mechanism.js';
import { prepare, readPassword, type Password } from './password.js';

export interface OauthBearerSettings {
  /** User name, or bare address, that the token is for. Left out of the message when undefined. */
  readonly authzid?: string;
  /** The access token, without `Bearer`. */
  readonly token: Password;
  readonly host?: string;
  readonly port?: number;
}

/** RFC 6750 §2.1 */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** Signs in with an OAuth 2.0 bearer token. */
export class OauthBearer implements Mechanism {
  readonly name = 'OAUTHBEARER';
  readonly #settings: OauthBearerSettings;
  #step: 'new' | 'sent' | 'failed' = 'new';
  #failure: string | undefined;

  constructor(settings: OauthBearerSettings) {
    this.#settings = settings;
  }

  /** The status the server gave with its failure challenge (RFC 7628 §3.2.2), for example `invalid_token`. */
  get failure(): string | undefined {
    return this.#failure;
  }

  async start(): Promise<Buffer> {
    const { authzid, host, port } = this.#settings;
    const token = await readPassword(this.#settings.token);
    if (!TOKEN.test(token)) {
      throw usageError('USAGE_PASSWORD', 'The token is no bearer token (RFC 6750 §2.1): give it without "Bearer".');
    }
    const identity = authzid === undefined ? '' : `a=${saslname(prepare(authzid, 'authorization identity'))}`;
    const pairs = [
      ...(host === undefined ? [] : [`host=${host}`]),
      ...(port === undefined ? [] : [`port=${port}`]),
      `auth=Bearer ${token}`,
    ];
    this.#step = 'sent';
    return Buffer.from(`n,${identity},\x01${pairs.map((pair) => `${pair}\x01`).join('')}\x01`);
  }

  /** The one challenge there is reports a failure, and is answered by one octet (RFC 7628 §3.2.3). */
  challenge(data: Buffer): Promise<Buffer> {
    if (this.#step !== 'sent') return Promise.reject(unexpected(this.name, 'challenge'));
    this.#step = 'failed';
    this.#failure = statusOf(data);
    return Promise.resolve(Buffer.from([1]));
  }

  success(data: Buffer | null): void {
    if (this.#step !== 'sent') throw notAuthenticated(this.name);
    if (data !== null && data.length > 0) throw unexpected(this.name, 'data');
  }
}

function statusOf(data: Buffer): string {
  try {
    const report: unknown = JSON.parse(data.toString('utf8'));
    if (typeof report === 'object' && report !== null && 'status' in report && typeof report.status === 'string') {
      return printable(report.status, 100);
    }
  } catch {
    // Not JSON: there is nothing to tell.
  }
  return 'no status';
}

function saslname(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}
