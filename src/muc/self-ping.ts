import type { Broker } from '../broker/broker.js';
import type { RequestOptions } from '../broker/requester.js';
import { StanzaError } from '../stanza/stanza-error.js';
import { xml } from '../xml/builder.js';
import { NS } from '../xml/namespaces.js';

/** Answers of another client under our nickname, or one who has just changed it: we are in (XEP-0410 §3.2). */
const INSIDE = new Set(['service-unavailable', 'feature-not-implemented', 'item-not-found']);
/** What says nothing about us: the service cannot be reached, or does not answer. */
const UNKNOWN = new Set(['remote-server-not-found', 'remote-server-timeout']);

/** Whether a room still counts us as in it. What cannot be known counts as yes, and is asked again. */
export async function stillInside(broker: Broker, occupant: string, options: RequestOptions): Promise<boolean> {
  try {
    await broker.request(xml('iq', { type: 'get', to: occupant }, xml('ping', { xmlns: NS.PING })), options);
    return true;
  } catch (error) {
    if (!(error instanceof StanzaError)) return true;
    const condition = error.condition ?? '';
    return INSIDE.has(condition) || UNKNOWN.has(condition);
  }
}
