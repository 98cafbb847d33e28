import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { RoomHistory } from './options.js';

/** What asks to be let into a room: XEP-0045 §7.2. */
export function joinPresence(to: string, password: string | undefined, history: RoomHistory): Element {
  const { maxStanzas, seconds, since } = history;
  const wanted = xml('history', {
    maxstanzas: maxStanzas,
    seconds,
    // Whole seconds: some services read no fractions (XEP-0082 allows both).
    since: since?.toISOString().replace(/\.\d+Z$/, 'Z'),
  });
  const secret = password === undefined ? null : xml('password', {}, password);
  return xml('presence', { to }, xml('x', { xmlns: NS.MUC }, wanted, secret));
}
