import type { Optional } from '../arguments/optional.js';
import { BrokerError } from '../errors.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { XmlLimits } from '../xml/tokenizer/limits.js';
import { Tokenizer, type TokenizerHandler } from '../xml/tokenizer/tokenizer.js';
import type { StreamReader } from './framing.js';

/** What every message stands in: servers differ in what they declare themselves. */
const AROUND = Buffer.from(`<stream:stream xmlns='${NS.CLIENT}' xmlns:stream='${NS.STREAM}'>`);

const BLANK: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/**
 * Reads a stream whose every message is one element (RFC 7395 §3.3), and tells it as if it had come over TCP: `<open/>` is
 * its header and `<close/>` its end. An element is told when its message is complete and holds nothing else. Messages of
 * white space are left out.
 */
export class MessageReader implements StreamReader {
  readonly #handler: TokenizerHandler;
  readonly #tokenizer: Tokenizer;
  #messages: Uint8Array[] = [];
  #pending = 0;
  /** Elements of the message that is being read. */
  #found: Element[] = [];
  #paused = false;
  #running = false;
  #finished = false;

  constructor(handler: TokenizerHandler, limits: Optional<XmlLimits>) {
    this.#handler = handler;
    this.#tokenizer = new Tokenizer(
      {
        onStreamStart: () => undefined,
        onElement: (element) => {
          if (this.#found.length < 2) this.#found.push(element);
        },
        onStreamEnd: () => {
          this.#fail(badMessage('ends what was not begun'));
        },
        onError: (error) => {
          this.#fail(error);
        },
      },
      limits,
    );
    this.#tokenizer.write(AROUND);
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Whether part of a message was read: never, they are read whole. */
  get inStanza(): boolean {
    return false;
  }

  /** Bytes of messages that were not read yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Takes one message. */
  write(message: Uint8Array): void {
    // One that is blank would wait for nothing, and costs no bytes.
    if (this.#finished || message.every((byte) => BLANK.has(byte))) return;
    this.#messages.push(message);
    this.#pending += message.length;
    this.#pump();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#pump();
  }

  take(): Buffer {
    return Buffer.concat(this.takeMessages());
  }

  /** The messages that were not read. The reader is finished. */
  takeMessages(): Uint8Array[] {
    this.#finished = true;
    this.#pending = 0;
    return this.#messages.splice(0);
  }

  #pump(): void {
    if (this.#running) return;
    this.#running = true;
    while (!this.#paused && !this.#finished) {
      const message = this.#messages.shift();
      if (message === undefined) break;
      this.#pending -= message.length;
      this.#read(message);
    }
    this.#running = false;
  }

  #read(message: Uint8Array): void {
    this.#found = [];
    this.#tokenizer.write(message);
    if (this.#finished) return;
    const [element, second] = this.#found;
    this.#found = [];
    if (second !== undefined) this.#fail(badMessage('holds more than one element'));
    else if (element === undefined || this.#tokenizer.pending > 0 || this.#tokenizer.inStanza) {
      this.#fail(badMessage('holds no complete element'));
    } else this.#tell(element);
  }

  #tell(element: Element): void {
    try {
      if (element.is('open', NS.FRAMING)) this.#handler.onStreamStart(element);
      else if (element.is('close', NS.FRAMING)) this.#tellEnd(element.getAttribute('see-other-uri'));
      else this.#handler.onElement(element);
    } catch (cause) {
      const text = 'the handler of the stream threw, see the cause';
      this.#fail(new BrokerError('XML_HANDLER', text, { layer: 'xml', condition: 'internal-server-error', cause }));
    }
  }

  /** An end that sends us elsewhere (RFC 7395 §3.6.1) is what is a stream error over TCP. */
  #tellEnd(seeOther: string | null): void {
    if (seeOther !== null) {
      const condition = xml('see-other-host', { xmlns: NS.STREAMS });
      const where = xml('see-other-uri', { xmlns: NS.FRAMING }, seeOther);
      this.#handler.onElement(xml('stream:error', { 'xmlns:stream': NS.STREAM }, condition, where));
    }
    this.#handler.onStreamEnd();
  }

  #fail(error: BrokerError): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#messages = [];
    this.#pending = 0;
    this.#tokenizer.pause();
    try {
      this.#handler.onError(error);
    } catch {
      // There is nobody left to tell, as with the tokenizer.
    }
  }
}

function badMessage(what: string): BrokerError {
  return new BrokerError('WS_BAD_FRAME', `a WebSocket message of the server ${what} (RFC 7395 §3.3)`, {
    layer: 'xml',
    origin: 'peer',
    condition: 'bad-format',
    sentCondition: 'bad-format',
    retryable: true,
  });
}
