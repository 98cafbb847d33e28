// How a client gets a session: a new one (RFC 6120 §7), or an earlier one that goes on (XEP-0198 §5).
import { randomBytes } from 'node:crypto';
import { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';
import { ClientSession } from './client-session.js';
import type { Site } from './site.js';
import { failed } from './stream-management.js';

/** The session that `<resume/>` names, or the answer that refuses it. */
export function resumableSession(site: Site, username: string, request: Element): ClientSession | Element {
  const { streamManagement } = site.settings;
  const previd = request.getAttribute('previd') ?? '';
  const session = site.resumption.find(previd);
  if (session !== null && session.jid.local === username) return session;
  const count = streamManagement?.failedCount === true ? site.resumption.countOf(previd) : undefined;
  return failed(streamManagement === null ? 'feature-not-implemented' : 'item-not-found', count);
}

/** The address for a requested resource, by the rules of the options; or the condition it is refused with. */
export function resourceFor(site: Site, username: string, requested: string): JID | 'bad-request' | 'conflict' {
  const { hub, settings } = site;
  const { conflict, assigned } = settings.bind;
  const made = () => new JID(username, settings.domain, randomBytes(9).toString('base64url'));
  const scripted = site.script?.address() ?? null;
  if (scripted === null && (requested === '' || assigned)) return made();
  let jid: JID;
  try {
    jid = scripted ?? new JID(username, settings.domain, requested);
  } catch {
    return 'bad-request';
  }
  const old = hub.session(jid);
  if (old === null) return jid;
  if (conflict === 'refuse') return 'conflict';
  if (conflict === 'rename') return made();
  replace(old);
  return jid;
}

/** Ends a session because another one takes its address. */
export function replace(old: ClientSession): void {
  old.connection?.kick('conflict', { text: 'replaced by a new connection' });
  old.end();
}
