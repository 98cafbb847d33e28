import { BYTE_CLASS, GT, IS_SPACE, LT, QUESTION } from './characters.js';
import type { Collected } from './collected.js';
import { Fault, malformed, restricted, shown, shownByte } from './fault.js';
import { bytes } from './window.js';

const FIRST = 0; // nothing was read
const SECOND = 1; // '<' was
const TARGET = 2; // behind '<?'
const DECLARATION = 3; // behind '<?xml' and white space
const BLANK = 4; // before the root element
const EBCDIC = 5;

const XML = [0x78, 0x6d, 0x6c];
/** `<?x` in EBCDIC, the first byte of which is `L` in ASCII. */
const EBCDIC_START = [0x4c, 0x6f, 0xa7];

/**
 * What stands in front of the root element: white space, and before that, as the very first bytes only, an XML
 * declaration (XML 1.0 §2.8; RFC 6120 §11.5, §11.6).
 */
export class Prolog {
  private state = FIRST;
  private matched = 0;
  /** Whether the `<` of the root element was read. */
  done = false;

  constructor(private readonly collected: Collected) {}

  /** Whether nothing but white space was read. */
  get blank(): boolean {
    return this.state === FIRST || this.state === BLANK;
  }

  /** Reads from `i`, up to `end` or behind the `<` of the root element. The window begins at offset `base`. */
  scan(i: number, end: number, base: number): number {
    while (i !== end && !this.done) {
      const byte = bytes[i] as number;
      switch (this.state) {
        case FIRST:
          if (byte === LT) this.state = SECOND;
          else if ((BYTE_CLASS[byte] as number) & IS_SPACE) this.state = BLANK;
          else if (byte === EBCDIC_START[0]) this.state = EBCDIC;
          else throw notXml(byte, 0);
          i++;
          break;
        case SECOND:
          if (byte === 0) throw foreign('UTF-16');
          if (byte === QUESTION) {
            this.state = TARGET;
            i++;
          } else {
            this.done = true;
          }
          break;
        case TARGET:
          if (this.matched === XML.length && (BYTE_CLASS[byte] as number) & IS_SPACE) this.state = DECLARATION;
          else if (byte !== XML[this.matched++]) throw restricted('a processing instruction', base + i);
          i++;
          break;
        case DECLARATION:
          i = this.declaration(i, end, base);
          break;
        case BLANK:
          if (byte === LT) this.done = true;
          else if (((BYTE_CLASS[byte] as number) & IS_SPACE) === 0)
            throw malformed('text in front of the root element', base + i);
          i++;
          break;
        case EBCDIC:
          this.matched++;
          if (byte !== EBCDIC_START[this.matched]) throw notXml(EBCDIC_START[0] as number, 0);
          i++;
      }
    }
    return i;
  }

  /** The fault of a stream whose first invalid byte is this one: some are known encodings. */
  encodingFault(byte: number): Fault | null {
    if (this.state === FIRST && (byte === 0xfe || byte === 0xff)) return foreign('UTF-16');
    if (this.state === EBCDIC && byte === EBCDIC_START[2] && this.matched === 1) return foreign('EBCDIC');
    return null;
  }

  private declaration(start: number, end: number, base: number): number {
    let i = start;
    while (i !== end && bytes[i] !== GT) i++;
    this.collected.keep(start, i);
    if (i === end) return i;
    checkDeclaration(this.collected.take(), base + i);
    this.state = BLANK;
    return i + 1;
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

function notXml(byte: number, offset: number): Fault {
  if (byte === 0) return foreign('UTF-16 or UTF-32');
  if (byte === 0xef) return malformed('text in front of the root element, perhaps a byte order mark', offset);
  const hint = GREETINGS.get(byte);
  return new Fault(
    'STREAM_NOT_XMPP',
    `this is not an XMPP stream, it begins with ${shownByte(byte)} instead of "<"${hint === undefined ? '' : ` (${hint})`}: check host and port`,
    offset,
  );
}

function foreign(encoding: string): Fault {
  return new Fault('XML_ENCODING', `the stream is in ${encoding}, not in UTF-8`, 0);
}

const DECLARATION_BODY =
  /^version[ \t\r\n]*=[ \t\r\n]*(["'])([^"']*)\1(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(["'])([A-Za-z][A-Za-z0-9._-]*)\3)?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(["'])(?:yes|no)\5)?[ \t\r\n]*\?$/;

/** @throws Fault unless the declaration, without `<?xml` and `>`, says XML 1.0 and no encoding but UTF-8 */
function checkDeclaration(text: string, offset: number): void {
  const match = DECLARATION_BODY.exec(text.replace(/^[ \t\r\n]+/, ''));
  if (match === null) throw malformed(`${shown(`<?xml ${text}>`)} is not an XML declaration`, offset);
  const version = match[2] ?? '';
  if (version !== '1.0') throw malformed(`XML version ${shown(version)} is not 1.0`, offset);
  const encoding = match[4];
  if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') throw foreign(shown(encoding));
}
