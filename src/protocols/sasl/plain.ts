// PLAIN: RFC 4616. The password itself goes to the server, so it is used over verified TLS only.
import { usageError } from '../../errors.js';
import { notAuthenticated, unexpected, type Mechanism } from './mechanism.js';
import { readPassword, type Password } from './password.js';

export interface PlainSettings {
  readonly username: string;
  readonly password: Password;
  /** Whom to act for, when it is not the user. */
  readonly authzid?: string;
}

/** Sends user name and password as they are; the server prepares them (RFC 4616 §2). */
export class Plain implements Mechanism {
  readonly name = 'PLAIN';
  readonly #settings: PlainSettings;
  #started = false;

  constructor(settings: PlainSettings) {
    this.#settings = settings;
  }

  async start(): Promise<Buffer> {
    const { username, authzid = '' } = this.#settings;
    const password = await readPassword(this.#settings.password);
    checkField(username, 'user name', 'USAGE_USERNAME');
    checkField(authzid, 'authorization identity', 'USAGE_USERNAME');
    checkField(password, 'password', 'USAGE_PASSWORD');
    this.#started = true;
    return Buffer.from(`${authzid}\0${username}\0${password}`);
  }

  challenge(): Promise<Buffer> {
    return Promise.reject(unexpected(this.name, 'challenge'));
  }

  success(data: Buffer | null): void {
    if (!this.#started) throw notAuthenticated(this.name);
    if (data !== null && data.length > 0) throw unexpected(this.name, 'data');
  }
}

/** A NUL would end the field early, and text that is no Unicode would be changed on the way. */
function checkField(text: string, what: string, code: `USAGE_${string}`): void {
  if (!text.includes('\0') && text.isWellFormed()) return;
  throw usageError(code, `The ${what} holds a NUL character or half of a surrogate pair, which PLAIN cannot send.`);
}
