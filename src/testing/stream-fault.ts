// Stream errors from the server's side: RFC 6120 §4.9.
import { must, string } from '../arguments/checks.js';
import type { OptionTable } from '../arguments/options.js';
import { isA } from '../arguments/values.js';
import { xml } from '../xml/builder.js';
import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';

/** What a stream error says beside its condition. */
export interface FaultDetails {
  /** For people. Default none. */
  text?: string | undefined;
  /** What stands inside the condition: the new address of `see-other-host`. Default nothing. */
  content?: string | undefined;
  /** A condition of another namespace. Default none. */
  appCondition?: Element | undefined;
}

export const FAULT_DETAILS: OptionTable<FaultDetails> = {
  checks: { text: string, content: string, appCondition: must('an Element', (value) => isA(value, Element)) },
};

/** The server closes the stream with this error. Thrown by what serves a connection. */
export class StreamFault extends Error {
  /** The error as it is written. */
  readonly element: Element;

  /** @throws BrokerError `XML_BAD_NAME`, `XML_UNSERIALIZABLE`, `USAGE_XML` for a condition or text that cannot be written */
  constructor(
    readonly condition: string,
    { text, content, appCondition }: FaultDetails = {},
  ) {
    super(text === undefined ? condition : `${condition}: ${text}`);
    this.element = xml(
      'stream:error',
      { 'xmlns:stream': NS.STREAM },
      xml(condition, { xmlns: NS.STREAMS }, content),
      text === undefined ? null : xml('text', { xmlns: NS.STREAMS }, text),
      appCondition?.clone(),
    );
  }
}

/** The peer is gone, or has ended the stream: there is nothing more to read. Thrown to leave what serves it. */
export class StreamOver extends Error {
  override readonly name = 'StreamOver';
}
