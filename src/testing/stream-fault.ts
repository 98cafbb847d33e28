// Stream errors from the server's side: RFC 6120 §4.9.
import type { Element } from '../xml/element.js';

/** What a stream error says beside its condition. */
export interface FaultDetails {
  /** For people. */
  text?: string;
  /** What stands inside the condition: the new address of `see-other-host`. */
  content?: string;
  /** A condition of another namespace. */
  appCondition?: Element;
}

/** The server closes the stream with this error. Thrown by what serves a connection. */
export class StreamFault extends Error {
  constructor(
    readonly condition: string,
    readonly details: FaultDetails = {},
  ) {
    super(details.text === undefined ? condition : `${condition}: ${details.text}`);
  }
}

/** The peer is gone, or has ended the stream: there is nothing more to read. Thrown to leave what serves it. */
export class StreamOver extends Error {
  override readonly name = 'StreamOver';
}
