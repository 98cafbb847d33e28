import { BANG, BYTE_CLASS, IS_NAME_START, IS_SPACE, LT, OPEN_BRACKET, QUESTION, SLASH } from '../characters.js';
import { CharacterData } from './character-data.js';
import { TokenBuffer } from './token-buffer.js';
import type { Element } from '../element.js';
import { EndTag } from './end-tag.js';
import { Fault, malformed, restricted, shownByte, tooMuch } from './fault.js';
import { FastPath } from './fast-path.js';
import type { XmlLimits } from './limits.js';
import { Prolog } from './prolog.js';
import { StartTag } from './start-tag.js';
import { type Root, Tree } from './tree.js';
import { bytes, type Window } from './window.js';

type State =
  | 'prolog' // up to the '<' of the root element
  | 'stream' // in the root, between stanzas
  | 'content' // in a stanza
  | 'markup' // behind '<'
  | 'declaration' // behind '<!'
  | 'start-tag'
  | 'end-tag'
  | 'epilog'; // behind the root

/** What comes out of the scanner. {@link Scanner.stopped} may be set from within. */
export interface ScannerEvents {
  streamStart(header: Element): void;
  element(element: Element): void;
  streamEnd(): void;
}

const ignore = (): void => undefined;
const NOBODY: ScannerEvents = { streamStart: ignore, element: ignore, streamEnd: ignore };

/**
 * The state machine of XMPP's XML (RFC 6120 §11): a root element whose children are stanzas, no comments, processing
 * instructions or document type, no entities but the predefined ones. Every state can be left and entered between any
 * two characters, and what is incomplete at the end of a window is put aside: each byte is looked at once, however
 * the bytes arrive.
 */
export class Scanner {
  /** Return before the next token. */
  stopped = false;
  private state: State = 'prolog';
  private readonly buffer = new TokenBuffer();
  private readonly tree: Tree;
  private readonly prolog: Prolog;
  private readonly characterData: CharacterData;
  private readonly startTag: StartTag;
  private readonly endTag: EndTag;
  private readonly fastPath: FastPath;
  /** Offset at which the header or stanza began; -1 between stanzas. */
  private began = 0;
  private inHeader = true;

  constructor(
    readonly window: Window,
    private readonly limits: XmlLimits,
    private events: ScannerEvents,
  ) {
    const { buffer } = this;
    this.tree = new Tree(limits);
    this.prolog = new Prolog(window, buffer);
    this.characterData = new CharacterData(window, buffer);
    this.startTag = new StartTag(window, this.tree, buffer, limits);
    this.endTag = new EndTag(window);
    this.fastPath = new FastPath(window, this.tree, limits);
  }

  /** Goes on, or begins, inside a root. */
  enter(root: Root): void {
    this.tree.enterRoot(root);
    this.state = 'stream';
    this.began = -1;
    this.inHeader = false;
  }

  /** Whether it is between stanzas: then all that it knows of its stream is the root. */
  get isBetween(): boolean {
    return this.state === 'stream';
  }

  /** Lets go of its stream between stanzas, so that it can serve another one. */
  leave(): Root {
    this.events = NOBODY;
    return this.tree.leaveRoot();
  }

  /** Serves another stream, and goes on inside its root. */
  serve(events: ScannerEvents, root: Root): void {
    this.events = events;
    this.stopped = false;
    this.enter(root);
  }

  /** Whether a stanza or the header has begun and is not complete. */
  get inStanza(): boolean {
    return this.began >= 0 && !(this.state === 'prolog' && this.prolog.blank);
  }

  /** Bytes of the current token that are put aside, about. */
  get kept(): number {
    return this.buffer.size + this.characterData.kept + this.startTag.kept;
  }

  /** Lets go of everything that was built. */
  drop(): void {
    this.tree.drop();
    this.buffer.take();
  }

  /**
   * Scans the window, up to its end or until an event stops it.
   * @throws Fault for everything that ends the stream
   */
  scan(): void {
    const { window } = this;
    if (this.began >= 0) this.limit();
    try {
      while (window.at !== window.end && !this.stopped) this.step();
      if (this.stopped || window.at !== window.end) return;
      if (window.stopsEarly) throw this.tooLong();
      if (window.problem !== null) throw this.encodingFault() ?? window.problem;
    } catch (error) {
      if (error instanceof Fault && error.offset < 0) error.offset = window.offset;
      throw error;
    }
  }

  private step(): void {
    const { window } = this;
    switch (this.state) {
      case 'content':
        if (this.characterData.fresh) this.runFastPath();
        else if (this.characterData.read()) this.state = 'markup';
        return;
      case 'stream':
        this.betweenStanzas();
        return;
      case 'markup':
        this.markup(bytes[window.at] as number);
        return;
      case 'declaration':
        this.declaration(bytes[window.at] as number);
        return;
      case 'start-tag':
        if (this.startTag.read()) this.opened();
        return;
      case 'end-tag':
        if (this.endTag.read()) this.closed();
        return;
      case 'prolog':
        if (this.prolog.read()) this.state = 'markup';
        return;
      case 'epilog':
        if (((BYTE_CLASS[bytes[window.at] as number] as number) & IS_SPACE) === 0) {
          throw malformed('something behind the end of the stream');
        }
        window.at++;
    }
  }

  /** Reads what is ordinary, and at least the beginning of what is not. */
  private runFastPath(): void {
    const { fastPath } = this;
    switch (fastPath.run()) {
      case 'stanza': {
        const stanza = fastPath.stanza as Element;
        fastPath.stanza = null;
        this.completed(stanza);
        return;
      }
      case 'tag':
        this.startTag.begin('behind');
        this.state = 'start-tag';
        return;
      case 'content':
        this.state = this.characterData.read() ? 'markup' : 'content';
    }
  }

  private betweenStanzas(): void {
    const { window } = this;
    const start = window.at;
    while ((BYTE_CLASS[bytes[window.at] as number] as number) & IS_SPACE) window.at++;
    if (window.at > start) {
      window.restore();
      return;
    }
    const byte = bytes[window.at] as number;
    if (byte !== LT) throw streamText(byte);
    this.began = window.offset;
    this.limit();
    if ((BYTE_CLASS[bytes[window.at + 1] as number] as number) & IS_NAME_START) {
      this.state = 'content';
      this.runFastPath();
      return;
    }
    window.at++;
    this.state = 'markup';
  }

  /** The byte behind `<`. */
  private markup(byte: number): void {
    const { window, tree, buffer } = this;
    if (byte === BANG) {
      window.at++;
      this.state = 'declaration';
      return;
    }
    if (byte === QUESTION) throw restricted('a processing instruction');
    if (byte !== SLASH && ((BYTE_CLASS[byte] as number) & IS_NAME_START) === 0) {
      throw malformed(`${shownByte(byte)} behind "<"`);
    }
    this.characterData.end();
    if (!buffer.empty) tree.text(buffer.take(), tree.element as Element);
    if (byte === SLASH) {
      const name = tree.openName;
      if (name === undefined) throw malformed('an end tag without a start tag');
      this.endTag.begin(name.text);
      window.at++;
      this.state = 'end-tag';
    } else {
      this.startTag.begin('name');
      this.state = 'start-tag';
    }
  }

  /** The byte behind `<!`: only a CDATA section may begin so, and only in a stanza. */
  private declaration(byte: number): void {
    if (byte === 0x2d /* - */) throw restricted('a comment');
    if ((BYTE_CLASS[byte] as number) & IS_NAME_START) throw restricted('a document type');
    if (byte !== OPEN_BRACKET) throw malformed(`${shownByte(byte)} behind "<!"`);
    if (this.tree.depth === 1) throw streamText(byte);
    this.characterData.beginCdata();
    this.window.at++;
    this.state = 'content';
  }

  private opened(): void {
    const { tree } = this;
    if (tree.depth === 1) {
      const header = tree.element as Element;
      tree.element = null;
      this.between('stream');
      this.events.streamStart(header);
      this.window.restore();
    }
    if (this.startTag.empty) this.closed();
    else if (tree.depth > 1) this.state = 'content';
  }

  private closed(): void {
    const element = this.tree.close();
    if (this.tree.depth > 1) this.state = 'content';
    else if (element !== null) this.completed(element);
    else this.ended();
  }

  private completed(stanza: Element): void {
    this.between('stream');
    this.events.element(stanza);
    this.window.restore();
  }

  private ended(): void {
    this.between('epilog');
    this.events.streamEnd();
    this.window.restore();
  }

  /** The header, a stanza or the root is complete. */
  private between(state: 'stream' | 'epilog'): void {
    this.state = state;
    this.began = -1;
    this.inHeader = false;
    this.tree.rest();
    this.window.unstop();
  }

  /** Keeps the window from going on where the header or stanza is too long. */
  private limit(): void {
    const { headerBytes, stanzaBytes } = this.limits;
    this.window.stopAt(this.began + (this.inHeader ? headerBytes : stanzaBytes));
  }

  private tooLong(): Fault {
    return this.inHeader
      ? tooMuch('LIMIT_HEADER_BYTES', 'bytes before the end of the stream header', this.limits.headerBytes)
      : tooMuch('LIMIT_STANZA_BYTES', 'bytes in a stanza', this.limits.stanzaBytes);
  }

  /** The fault of the invalid byte at the end of the window, if it tells the encoding. */
  private encodingFault(): Fault | null {
    return this.state === 'prolog' ? this.prolog.encodingFault(this.window.stopByte) : null;
  }
}

function streamText(byte: number): Fault {
  return byte < 0x20
    ? malformed(`${shownByte(byte)} between stanzas`)
    : new Fault('XML_STREAM_TEXT', 'text between stanzas');
}
