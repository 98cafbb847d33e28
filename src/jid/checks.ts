// Checks of options that are addresses.
import { text, withCode, type Check } from '../arguments/checks.js';
import { isA, shown } from '../arguments/values.js';
import { JID } from './jid.js';

/** A domain. {@link preparedDomain} is what becomes of it. */
export const domain: Check = (value) => {
  const problem = text(value);
  if (problem !== null) return problem;
  try {
    const { local, resource } = JID.parse(value as string);
    return local === null && resource === null
      ? null
      : `must be a domain such as example.org, without '@' and '/', not ${shown(value)}`;
  } catch (error) {
    return `is no domain: ${(error as Error).message}`;
  }
};

/** A domain as it is compared and sent. */
export function preparedDomain(value: string): string {
  return new JID(null, value).domain;
}

/** A JID, or text that is one. */
export const address: Check = withCode('USAGE_JID', (value) => {
  if (isA(value, JID)) return null;
  try {
    JID.parse(value as string);
    return null;
  } catch (error) {
    return `is no JID: ${(error as Error).message}`;
  }
});

/** A local part of addresses. */
export const localPart: Check = (value) => {
  try {
    return new JID(value as string, 'localhost').local === null ? 'must be a string that is not empty' : null;
  } catch (error) {
    return `is no local part of a JID: ${(error as Error).message}`;
  }
};
