// What a client says of itself when it signs in: XEP-0388 §2.3.
import { must } from '../../arguments/checks.js';
import type { OptionTable } from '../../arguments/options.js';
import { xml } from '../../xml/builder.js';
import { indexOfForbidden } from '../../xml/characters.js';
import type { Element } from '../../xml/element.js';

/** What a server may show its user of this client, and how it knows it again. No names of users or machines belong here. */
export interface UserAgent {
  /**
   * A UUID of version 4. Default: one that is made up for each broker and kept while it lives. Two brokers must never have the
   * same: with Bind 2 the server ends the older one, with FAST they take each other's tokens.
   */
  id?: string | undefined;
  /** Name of the program. Default `xmpp-broker`. */
  software?: string | undefined;
  /** Name of the device. Default none. */
  device?: string | undefined;
}

/** Longest name, in UTF-16 code units. */
const LONGEST = 100;
const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

const name = must(
  `a name of 1 to ${LONGEST} characters that XML can hold`,
  (value) => typeof value === 'string' && value !== '' && value.length <= LONGEST && indexOfForbidden(value) < 0,
);

export const USER_AGENT: OptionTable<UserAgent> = {
  checks: {
    id: must('a UUID of version 4', (value) => typeof value === 'string' && UUID_4.test(value)),
    software: name,
    device: name,
  },
  instead: must("'none' or an object", (value) => value === 'none'),
};

/** The element, or null for `none`. */
export function userAgent(given: UserAgent | 'none', id: string): Element | null {
  if (given === 'none') return null;
  const { software = 'xmpp-broker', device } = given;
  return xml(
    'user-agent',
    { id: given.id ?? id },
    xml('software', {}, software),
    device === undefined ? null : xml('device', {}, device),
  );
}
