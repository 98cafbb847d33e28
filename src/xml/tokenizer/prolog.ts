import { BYTE_CLASS, GT, IS_SPACE, LT, QUESTION } from '../characters.js';
import type { TokenBuffer } from './token-buffer.js';
import { Fault, malformed, restricted, shown, shownByte } from './fault.js';
import { bytes, type Window } from './window.js';

type State =
  | 'first' // nothing was read
  | 'second' // '<' was
  | 'target' // behind '<?'
  | 'declaration' // behind '<?xml' and white space
  | 'blank' // before the root element
  | 'ebcdic';

const XML = [0x78, 0x6d, 0x6c];
/** `<?x` in EBCDIC, the first byte of which is `L` in ASCII. */
const EBCDIC_START = [0x4c, 0x6f, 0xa7];

/**
 * What stands in front of the root element: white space, and before that, as the very first bytes only, an XML
 * declaration (XML 1.0 §2.8; RFC 6120 §11.5, §11.6).
 */
export class Prolog {
  private state: State = 'first';
  private matched = 0;

  constructor(
    private readonly window: Window,
    private readonly buffer: TokenBuffer,
  ) {}

  /** Whether nothing but white space was read. */
  get blank(): boolean {
    return this.state === 'first' || this.state === 'blank';
  }

  /** Goes on reading. Gives whether the `<` of the root element was read. */
  read(): boolean {
    const { window } = this;
    while (window.at !== window.end) {
      const byte = bytes[window.at] as number;
      switch (this.state) {
        case 'first':
          if (byte === LT) this.state = 'second';
          else if ((BYTE_CLASS[byte] as number) & IS_SPACE) this.state = 'blank';
          else if (byte === EBCDIC_START[0]) this.state = 'ebcdic';
          else throw notXml(byte);
          break;
        case 'second':
          if (byte === 0) throw foreign('UTF-16');
          if (byte !== QUESTION) return true;
          this.state = 'target';
          break;
        case 'target':
          if (this.matched === XML.length && (BYTE_CLASS[byte] as number) & IS_SPACE) this.state = 'declaration';
          else if (byte !== XML[this.matched++]) throw restricted('a processing instruction');
          break;
        case 'declaration':
          this.declaration();
          continue;
        case 'blank':
          if (byte === LT) {
            window.at++;
            return true;
          }
          if (((BYTE_CLASS[byte] as number) & IS_SPACE) === 0) throw malformed('text in front of the root element');
          break;
        case 'ebcdic':
          this.matched++;
          if (byte !== EBCDIC_START[this.matched]) throw notXml(EBCDIC_START[0] as number);
      }
      window.at++;
    }
    return false;
  }

  /** The fault of a stream whose first invalid byte is this one: some are known encodings. */
  encodingFault(byte: number): Fault | null {
    if (this.state === 'first' && (byte === 0xfe || byte === 0xff)) return foreign('UTF-16');
    if (this.state === 'ebcdic' && byte === EBCDIC_START[2] && this.matched === 1) return foreign('EBCDIC');
    return null;
  }

  private declaration(): void {
    const { window, buffer } = this;
    const start = window.at;
    while (window.at !== window.end && bytes[window.at] !== GT) window.at++;
    buffer.keep(start, window.at);
    if (window.at === window.end) return;
    checkDeclaration(buffer.take());
    this.state = 'blank';
    window.at++;
  }
}

/** What a server of another protocol sends first. */
const GREETINGS = new Map([
  [0x15, 'a TLS alert begins so: the port speaks TLS from the start, or refused our handshake'],
  [0x16, 'a TLS handshake begins so: the port speaks TLS from the start'],
  [0x2a, 'an IMAP server begins so'],
  [0x2b, 'a POP3 server begins so'],
  [0x32, 'an SMTP or FTP server begins so'],
  [0x48, 'an HTTP server begins so'],
  [0x53, 'an SSH server begins so'],
]);

function notXml(byte: number): Fault {
  if (byte === 0) return foreign('UTF-16 or UTF-32');
  if (byte === 0xef) return malformed('text in front of the root element, perhaps a byte order mark', 0);
  const hint = GREETINGS.get(byte);
  return new Fault(
    'STREAM_NOT_XMPP',
    `this is not an XMPP stream, it begins with ${shownByte(byte)} instead of "<"${hint === undefined ? '' : ` (${hint})`}: check host and port`,
    0,
  );
}

function foreign(encoding: string): Fault {
  return new Fault('XML_ENCODING', `the stream is in ${encoding}, not in UTF-8`, 0);
}

const DECLARATION_BODY =
  /^version[ \t\r\n]*=[ \t\r\n]*(["'])([^"']*)\1(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(["'])([A-Za-z][A-Za-z0-9._-]*)\3)?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(["'])(?:yes|no)\5)?[ \t\r\n]*\?$/;

/** @throws Fault unless the declaration, without `<?xml` and `>`, says XML 1.0 and no encoding but UTF-8 */
function checkDeclaration(text: string): void {
  const match = DECLARATION_BODY.exec(text.replace(/^[ \t\r\n]+/, ''));
  if (match === null) throw malformed(`${shown(`<?xml ${text}>`)} is not an XML declaration`);
  const version = match[2] as string;
  if (version !== '1.0') throw malformed(`XML version ${shown(version)} is not 1.0`);
  const encoding = match[4];
  if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') throw foreign(shown(encoding));
}
