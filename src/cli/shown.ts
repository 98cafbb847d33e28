import type { StatusEvents } from '../events.js';
import { Element } from '../xml/element.js';

/** A payload in one line. */
export function shown(payload: StatusEvents[keyof StatusEvents] | undefined): string {
  if (payload === undefined) return '';
  if (payload instanceof Element)
    return ` ${payload.localName === 'stream' ? `<${payload.nodeName} to='${payload.getAttribute('to') ?? ''}'>` : payload.toString()}`;
  if (payload instanceof Error) return ` ${payload.message}`;
  return ` ${JSON.stringify(payload)}`;
}
