import type { BrokerError } from '../errors.js';
import type { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';
import type { LoopbackConnection } from './connection.js';

/** What a loopback server publishes, by name. Elements are shown as they are, credentials included. */
export interface LoopbackEvents {
  /** A TCP connection was accepted. */
  connection: LoopbackConnection;
  /** A TLS handshake is complete. */
  tls: {
    connection: LoopbackConnection;
    /** Such as `TLSv1.3`. */
    version: string;
    cipher: string;
    /** Name the client asked for (SNI), or null. */
    servername: string | null;
    alpn: string | null;
  };
  /** A stream header or a first-level element arrived, before anything is made of it. */
  received: { connection: LoopbackConnection; element: Element };
  /** The server writes a stream header, a first-level element, or text: its end tag, or what was injected. */
  sent: { connection: LoopbackConnection; xml: Element | string };
  /** Somebody signed in. `mechanism` is a SASL mechanism, `handshake` (XEP-0114) or a method of `jabber:iq:auth`. */
  authenticated: { connection: LoopbackConnection; username: string; mechanism: string };
  /** A resource or name is bound: `jid` can be reached. `resumed` is true when an earlier session goes on (XEP-0198). */
  session: { connection: LoopbackConnection; jid: JID; resumed: boolean };
  /** A client's session is over for good, or a component's name is gone. */
  ended: { jid: JID };
  /** A stanza that reached nobody, with the error it was or would have been answered with. */
  undeliverable: { stanza: Element; condition: string };
  /**
   * A connection is closed. `fault` is the condition of the stream error the server sent, `error` what broke the
   * connection; both are null when it ended in order.
   */
  closed: { connection: LoopbackConnection; fault: string | null; error: BrokerError | null };
}
