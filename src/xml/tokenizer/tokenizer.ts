import type { Optional } from '../../arguments/optional.js';
import { BrokerError, usageError } from '../../errors.js';
import { isSpace } from '../characters.js';
import type { Element } from '../element.js';
import { Fault } from './fault.js';
import { xmlLimits, type XmlLimits } from './limits.js';
import { Scanner, type ScannerEvents } from './scanner.js';
import { UnreadBytes } from './unread-bytes.js';
import { Window } from './window.js';

/** What a {@link Tokenizer} reports, in the order of the stream. */
export interface TokenizerHandler {
  /** The root's start tag: an element without children, whose declarations are in scope for everything below. */
  onStreamStart(header: Element): void;
  /** A complete child of the root. It has no parent. */
  onElement(element: Element): void;
  /** The root's end tag. */
  onStreamEnd(): void;
  /** The first thing that is wrong, once; nothing follows. The stream's error to send is `error.condition`. */
  onError(error: BrokerError): void;
}

/**
 * Turns the bytes of one XML stream (RFC 6120 §4, §11) into elements. Strict: whatever is not well-formed XML with
 * namespaces in UTF-8, or is outside of what XMPP allows, is reported with its place, and nothing behind it is looked
 * at. The result does not depend on how the bytes are cut up, and what is kept is bounded by the limits.
 *
 * Codes of the errors: `XML_NOT_WELL_FORMED`, `XML_RESTRICTED` (comment, processing instruction, document type),
 * `XML_BAD_UTF8`, `XML_ENCODING` (another encoding), `XML_STREAM_TEXT` (text between stanzas), `XML_TRUNCATED`,
 * `STREAM_NOT_XMPP` (not XML at all), `LIMIT_STANZA_BYTES`, `LIMIT_HEADER_BYTES`, `LIMIT_DEPTH`, `LIMIT_ATTRIBUTES`,
 * `LIMIT_NODES`, `LIMIT_NS`, `LIMIT_NAME_BYTES`, `LIMIT_ATTRIBUTE_VALUE_BYTES`, and `XML_HANDLER` when the handler
 * itself threw: that is the fault of this program, the tokenizer stops, and the exception is the error's `cause`.
 *
 * A restarted stream needs a new tokenizer.
 */
export class Tokenizer implements ScannerEvents {
  private readonly window = new Window();
  private readonly scanner: Scanner;
  /** What arrived and was not looked at. */
  private readonly kept = new UnreadBytes();
  private running = false;
  private finished = false;
  private isPaused = false;
  private skipsSpace = false;

  /** @throws BrokerError `USAGE_LIMITS` for a limit that is none */
  constructor(
    private readonly handler: TokenizerHandler,
    limits?: Optional<XmlLimits>,
  ) {
    this.scanner = new Scanner(this.window, xmlLimits(limits), this);
  }

  get paused(): boolean {
    return this.isPaused;
  }

  /** Bytes of the stream that are consumed. Inside a handler: up to the end of what it was called for. */
  get offset(): number {
    return this.window.offset;
  }

  /** Whether the header or a stanza has begun and is not complete. */
  get inStanza(): boolean {
    return !this.finished && this.scanner.inStanza;
  }

  /** Bytes that are kept: what was not looked at yet, and the incomplete token. */
  get pending(): number {
    if (this.finished) return 0;
    return this.begun.length + this.kept.length + this.scanner.kept;
  }

  /** Takes the next bytes. Never throws because of them; the chunk may be reused afterwards. */
  write(chunk: Uint8Array): void {
    if (!(chunk instanceof Uint8Array)) {
      throw usageError('USAGE_TYPE', `Tokenizer.write wants bytes (a Buffer or Uint8Array), not ${typeof chunk}`);
    }
    if (this.finished || chunk.length === 0) return;
    if (this.skipsSpace) {
      this.writeBehindSpace(chunk);
      return;
    }
    if (this.running || this.isPaused) {
      this.kept.push(chunk);
      return;
    }
    this.scan(chunk);
    this.scanKept();
  }

  /**
   * White space in front of the document is no part of it: behind a restart it belongs to the stream before, and an XML
   * declaration may follow. To be called before anything is written.
   */
  skipSpace(): void {
    this.skipsSpace = true;
  }

  /** Stops before the next token; what arrives is kept. */
  pause(): void {
    this.isPaused = true;
    this.scanner.stopped = true;
  }

  /** Goes on with what was kept, before it returns. */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.scanner.stopped = this.finished;
    if (!this.running) this.scanKept();
  }

  /**
   * The bytes that were not looked at: behind the element for which the handler was called, or behind the one at
   * which it paused. The tokenizer is finished. (Between handlers, an incomplete token's bytes are gone: pause first.)
   */
  take(): Buffer {
    const taken = this.finished ? Buffer.alloc(0) : Buffer.concat([this.begun, this.kept.take()]);
    this.finish();
    return taken;
  }

  /**
   * The transport has ended. Gives an error if the header or a stanza is incomplete, null between stanzas and after an
   * error that was reported. The tokenizer is finished. What is kept while paused counts as incomplete: resume first.
   */
  end(): BrokerError | null {
    if (this.finished) return null;
    const { offset, pending } = this;
    const inside = this.inStanza || pending > 0;
    const cut = this.window.partial.length > 0;
    this.finish();
    if (cut) return new Fault('XML_BAD_UTF8', 'the stream ended inside a character', offset).toError();
    return inside ? new Fault('XML_TRUNCATED', 'the stream ended inside a stanza', offset).toError() : null;
  }

  /** Called by the scanner, as the two below. */
  streamStart(header: Element): void {
    this.deliver(() => this.handler.onStreamStart(header));
  }

  element(element: Element): void {
    try {
      this.handler.onElement(element);
    } catch (error) {
      this.handlerThrew(error);
    }
  }

  streamEnd(): void {
    this.deliver(() => this.handler.onStreamEnd());
  }

  private writeBehindSpace(chunk: Uint8Array): void {
    const start = chunk.findIndex((byte) => !isSpace(byte));
    if (start < 0) return;
    this.skipsSpace = false;
    this.write(chunk.subarray(start));
  }

  private scanKept(): void {
    while (this.kept.length > 0 && !this.isPaused && !this.finished) this.scan(this.kept.take());
    if (this.kept.length === 0) this.kept.clear();
  }

  private scan(chunk: Uint8Array): void {
    const { window, scanner } = this;
    let at = 0;
    this.running = true;
    try {
      while (at < chunk.length && !scanner.stopped) {
        window.load(chunk, at);
        scanner.scan();
        at = window.leave();
      }
    } catch (error) {
      this.fail(error instanceof Fault ? error.toError() : internal(error));
    }
    this.running = false;
    if (!this.finished && at < chunk.length) this.kept.giveBack(chunk.subarray(at));
  }

  /** What is at hand of the bytes that were not looked at, in front of what is kept. */
  private get begun(): Uint8Array {
    return this.running ? this.window.rest : this.window.partial;
  }

  private deliver(call: () => void): void {
    if (this.finished) return;
    try {
      call();
    } catch (error) {
      this.handlerThrew(error);
    }
  }

  private handlerThrew(cause: unknown): void {
    this.fail(
      new BrokerError('XML_HANDLER', 'the handler of the stream threw, see the cause', {
        layer: 'xml',
        condition: 'internal-server-error',
        offset: this.offset,
        cause,
      }),
    );
  }

  private fail(error: BrokerError): void {
    if (this.finished) return;
    this.finish();
    try {
      this.handler.onError(error);
    } catch {
      // There is nobody left to tell: the stream is over, and a data callback is no place to throw.
    }
  }

  private finish(): void {
    this.finished = true;
    this.scanner.stopped = true;
    this.scanner.drop();
    this.kept.clear();
  }
}

function internal(cause: unknown): BrokerError {
  return new BrokerError('XML_INTERNAL', 'the XML tokenizer failed; please report this', { layer: 'xml', cause });
}
