import { expect, it } from 'vitest';
import { readPassword } from '../../../src/lifecycle/password.js';

it.each([
  ['none', undefined, 'the password option is missing'],
  ['a function that gives nothing', () => '', 'the password function gave no non-empty string'],
  ['a function that gives a number', () => 7 as unknown as string, 'the password function gave no non-empty string'],
  [
    'a function that throws',
    () => {
      throw new Error('the vault is shut');
    },
    'the password function failed',
  ],
])('%s: USAGE_PASSWORD, and nothing of what was given', async (_, password, message) => {
  await expect(readPassword({ password } as never)).rejects.toMatchObject({ code: 'USAGE_PASSWORD', message });
});
