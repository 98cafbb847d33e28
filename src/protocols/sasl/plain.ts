// PLAIN: RFC 4616.
import { usageError } from '../../errors.js';
import type { Mechanism } from './mechanism.js';
import { readPassword } from './password.js';

/** Sends user name and password as they are; the server prepares them (RFC 4616 §2). */
export const PLAIN = {
  name: 'PLAIN',
  needs: ['password', 'username'],
  showsPassword: true,
  floor: 'obeys',
  byDefault: 'always',
  async run(exchange, settings) {
    const { username, authzid = '' } = settings;
    const password = await readPassword(settings.password);
    checkField(username, 'user name', 'USAGE_USERNAME');
    checkField(authzid, 'authorization identity', 'USAGE_USERNAME');
    checkField(password, 'password', 'USAGE_PASSWORD');
    await exchange.success(Buffer.from(`${authzid}\0${username}\0${password}`));
  },
} as const satisfies Mechanism;

/** A NUL would end the field early, and text that is no Unicode would be changed on the way. */
function checkField(text: string, what: string, code: `USAGE_${string}`): void {
  if (!text.includes('\0') && text.isWellFormed()) return;
  throw usageError(code, `the ${what} holds a NUL character or half of a surrogate pair, which PLAIN cannot send`);
}
