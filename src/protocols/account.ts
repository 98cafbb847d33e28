import { JID } from '../jid/jid.js';

/** The bare address of an account. A name that cannot be a local part is escaped (XEP-0106). */
export function accountAddress(username: string, domain: string): string {
  return `${/["&'/:<>@\s]/.test(username) ? JID.escape(username) : username}@${domain}`;
}
