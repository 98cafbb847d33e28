import { BrokerError } from '../errors.js';
import type { Secrets } from '../options/options.js';

/** The password option, asked for now. @throws BrokerError `USAGE_PASSWORD` */
export async function readPassword({ password }: Secrets): Promise<string> {
  let value: unknown = password;
  if (typeof password === 'function') {
    try {
      value = await password();
    } catch (cause) {
      throw new BrokerError('USAGE_PASSWORD', 'the password function failed', { layer: 'usage', cause });
    }
  }
  if (typeof value === 'string' && value !== '') return value;
  const text =
    password === undefined ? 'the password option is missing' : 'the password function gave no non-empty string';
  throw new BrokerError('USAGE_PASSWORD', text, { layer: 'usage' });
}
