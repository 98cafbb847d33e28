import type { Optional } from '../../arguments/optional.js';
import { BrokerError, usageError } from '../../errors.js';
import { isSpace } from '../characters.js';
import type { Element } from '../element.js';
import { Fault } from './fault.js';
import { DEFAULT_LIMITS, xmlLimits, type XmlLimits } from './limits.js';
import { Scanner, type ScannerEvents } from './scanner.js';
import type { Root } from './tree.js';
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
 * A scanner that no stream needs now: between stanzas a stream needs none, and a process may have ten thousand quiet
 * streams. It has the default limits.
 */
let spare: Scanner | null = null;

const NOTHING: Uint8Array = new Uint8Array(0);

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
  /** Null between stanzas as a rule. */
  private scanner: Scanner | null = null;
  /** While there is no scanner: the root, or null before the stream began; and bytes that are consumed. */
  private root: Root | null = null;
  private consumed = 0;
  private readonly limits: Readonly<XmlLimits>;
  /** What arrived and was not looked at; null as a rule. */
  private kept: UnreadBytes | null = null;
  private running = false;
  private finished = false;
  private isPaused = false;
  private skipsSpace = false;

  /** @throws BrokerError `USAGE_LIMITS` for a limit that is none */
  constructor(
    private readonly handler: TokenizerHandler,
    limits?: Optional<XmlLimits>,
  ) {
    this.limits = xmlLimits(limits);
  }

  get paused(): boolean {
    return this.isPaused;
  }

  /** Bytes of the stream that are consumed. Inside a handler: up to the end of what it was called for. */
  get offset(): number {
    return this.scanner === null ? this.consumed : this.scanner.window.offset;
  }

  /** Whether the header or a stanza has begun and is not complete. */
  get inStanza(): boolean {
    return !this.finished && this.scanner !== null && this.scanner.inStanza;
  }

  /** Bytes that are kept: what was not looked at yet, and the incomplete token. */
  get pending(): number {
    if (this.finished) return 0;
    return this.begun.length + (this.kept?.length ?? 0) + (this.scanner?.kept ?? 0);
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
      (this.kept ??= new UnreadBytes()).push(chunk);
      return;
    }
    this.scan(chunk);
    if (this.kept !== null) this.scanKept();
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
    if (this.scanner !== null) this.scanner.stopped = true;
  }

  /** Goes on with what was kept, before it returns. */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    if (this.scanner !== null) this.scanner.stopped = this.finished;
    if (!this.running) this.scanKept();
  }

  /**
   * The bytes that were not looked at: behind the element for which the handler was called, or behind the one at
   * which it paused. The tokenizer is finished. (Between handlers, an incomplete token's bytes are gone: pause first.)
   */
  take(): Buffer {
    const taken = this.finished ? Buffer.alloc(0) : Buffer.concat([this.begun, this.kept?.take() ?? NOTHING]);
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
    const cut = this.scanner !== null && this.scanner.window.partial.length > 0;
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
    const { kept } = this;
    if (kept === null) return;
    while (kept.length > 0 && !this.isPaused && !this.finished) this.scan(kept.take());
    if (kept.length === 0) this.kept = null;
  }

  private scan(chunk: Uint8Array): void {
    const scanner = (this.scanner ??= this.takeScanner());
    const { window } = scanner;
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
    if (this.finished) return;
    if (at < chunk.length) (this.kept ??= new UnreadBytes()).giveBack(chunk.subarray(at));
    if (scanner.isBetween && window.partial.length === 0 && this.limits === DEFAULT_LIMITS) this.leaveScanner(scanner);
  }

  private takeScanner(): Scanner {
    const { root } = this;
    // One that has limits of its own keeps its own.
    if (root === null) return new Scanner(new Window(), this.limits, this);
    const scanner = spare ?? new Scanner(new Window(), DEFAULT_LIMITS, this);
    spare = null;
    scanner.window.base = this.consumed;
    scanner.serve(this, root);
    return scanner;
  }

  /** Nothing is begun: what is known of the stream is its root. */
  private leaveScanner(scanner: Scanner): void {
    this.consumed = scanner.window.offset;
    this.root = scanner.leave();
    this.scanner = null;
    spare = scanner;
  }

  /** What is at hand of the bytes that were not looked at, in front of what is kept. */
  private get begun(): Uint8Array {
    if (this.scanner === null) return NOTHING;
    const { window } = this.scanner;
    return this.running ? window.rest : window.partial;
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
    this.kept = null;
    if (this.scanner === null) return;
    this.scanner.stopped = true;
    this.scanner.drop();
  }
}

function internal(cause: unknown): BrokerError {
  return new BrokerError('XML_INTERNAL', 'the XML tokenizer failed; please report this', { layer: 'xml', cause });
}
