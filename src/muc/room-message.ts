// What is said in a room: XEP-0045 §7.4, §7.5 and §7.2.15, with the times of XEP-0203.
import { isA, kindOf } from '../arguments/values.js';
import { usageError } from '../errors.js';
import { newId } from '../stanza/id.js';
import { xml } from '../xml/builder.js';
import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';

/** Something that was said in a room. */
export interface RoomMessage {
  /** The whole stanza, for `reply()` and what else is in it. */
  readonly node: Element;
  /** Who said it; null: the room itself. */
  readonly nick: string | null;
  /** Null for a message without words, such as a marker. */
  readonly body: string | null;
  /** Whether it is our own, sent back by the room. */
  readonly mine: boolean;
  /** Whether it was said before we came in. */
  readonly history: boolean;
  /** When it was said, where the stanza tells. */
  readonly stamp: Date | null;
  /** Whether it was said to us alone. */
  readonly private: boolean;
}

/**
 * When a stanza was sent, if it was delayed by somebody (XEP-0203). What the room itself says counts before what a sender
 * may have put there (XEP-0045 §7.2.13), and nothing was said in the future.
 */
export function stampOf(node: Element, room: string): Date | null {
  const delays = node.children.filter(
    ({ localName, namespaceURI }) => localName === 'delay' && namespaceURI === NS.DELAY,
  );
  const delay = delays.find((one) => one.getAttribute('from') === room) ?? delays.at(-1);
  const stamp = Date.parse(delay?.getAttribute('stamp') ?? '');
  return Number.isNaN(stamp) ? null : new Date(Math.min(stamp, Date.now()));
}

/** The new subject in a message; null where it has none. A subject beside a body is part of what is said. */
export function subjectOf(node: Element): string | null {
  const subject = node.getChild('subject');
  return subject !== null && node.getChild('body') === null && node.getChild('thread') === null
    ? subject.textContent
    : null;
}

/**
 * What says something to a room, or to one in it alone.
 * @throws BrokerError `USAGE_ROOM`
 */
export function said(to: string, type: 'groupchat' | 'chat', content: string | Element | readonly Element[]): Element {
  const isContent = typeof content === 'string' || Array.isArray(content) || isA(content, Element);
  if (!isContent) throw usageError('USAGE_ROOM', `what is said is a string or elements, not ${kindOf(content)}`);
  const children = typeof content === 'string' ? xml('body', {}, content) : content;
  // How a private message to an occupant is told from others (XEP-0045 §7.5).
  const mark = type === 'chat' ? xml('x', { xmlns: NS.MUC_USER }) : null;
  return xml('message', { to, type, id: newId() }, children, mark);
}
