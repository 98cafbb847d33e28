import { BYTE_CLASS, GT, IS_NAME, IS_SPACE } from '../characters.js';
import { type Fault, malformed, shown, shownByte } from './fault.js';
import { bytes, type Window } from './window.js';

const NOTHING: Uint8Array = new Uint8Array(0);

/** An end tag, read from behind its `</` however it is cut up (XML 1.0 §3.1). */
export class EndTag {
  private name = NOTHING;
  private text = '';
  /** Bytes of the name that were seen. */
  private matched = 0;
  private blank = false;

  constructor(private readonly window: Window) {}

  /** `name` is that of the element that is open. */
  begin(name: string): void {
    this.text = name;
    this.name = Buffer.from(name);
    this.matched = 0;
    this.blank = false;
  }

  /** Goes on reading. Gives whether the tag is complete. */
  read(): boolean {
    const { window, name } = this;
    for (; window.at !== window.end; window.at++) {
      const byte = bytes[window.at] as number;
      const kind = BYTE_CLASS[byte] as number;
      if (this.matched < name.length) {
        if (byte !== name[this.matched++]) throw this.mismatch();
      } else if (byte === GT) {
        window.at++;
        this.name = NOTHING;
        return true;
      } else if (kind & IS_SPACE) {
        this.blank = true;
      } else {
        throw kind & IS_NAME && !this.blank ? this.mismatch() : malformed(`${shownByte(byte)} in an end tag`);
      }
    }
    return false;
  }

  private mismatch(): Fault {
    return malformed(`an end tag that is not </${shown(this.text).slice(1, -1)}>`);
  }
}
