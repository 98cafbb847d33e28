// Headers of our messages. Those that others add are ignored; texts that a header cannot hold are escaped.

/** JetStream's: a second message with the same id within the window of the stream is the first one again. */
export const KEY = 'Nats-Msg-Id';
/** Our key. JetStream's id says the queue, too, or is another one where that key was there before. */
export const NAMED = 'Xmpp-Key';
/** Namespace in which the stanza is to be read. Left out: it is complete by itself. */
export const NAMESPACE = 'Xmpp-Ns';
/** Whom to tell what becomes of the stanza: `producer/key`, the producer as a token of its subject. */
export const TICKET = 'Xmpp-Ticket';
/** When the stanza was accepted, in milliseconds since 1970. */
export const AT = 'Xmpp-At';
/** Event under which a stanza that arrived was published. */
export const EVENT = 'Xmpp-Event';
/** `1`: the stanza may be a second one. */
export const DUPLICATE = 'Xmpp-Duplicate';
/** Why a stanza was given up: code of the error. */
export const CODE = 'Xmpp-Code';

/** A text as the value of a header: what is not printable ASCII, and `%`, as `%` and two hex digits of its UTF-8. */
export function headerText(text: string): string {
  return /^[!-$&-~]+(?: +[!-$&-~]+)*$/.test(text) ? text : encodeURIComponent(text);
}

/** What {@link headerText} was given; null: nobody wrote it so. */
export function fromHeader(value: string): string | null {
  try {
    return decodeURIComponent(value);
  } catch {
    return null;
  }
}
