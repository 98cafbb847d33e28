// What is told to those who come: XEP-0045 §7.2.13, §7.2.15.
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';

/** A message, and when it was said. */
export interface Said {
  readonly message: Element;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The last messages of a room. */
export class RoomHistory {
  #said: Said[] = [];

  /** Keeps a message, and forgets what is more than `most`. */
  add(message: Element, most: number): void {
    this.#said.push({ message, at: Date.now() });
    this.trim(most);
  }

  trim(most: number): void {
    if (this.#said.length > most) this.#said = most === 0 ? [] : this.#said.slice(-most);
  }

  /** Copies of the messages that were asked for (`<history/>`), oldest first, each with the time it was said. */
  wanted(asked: Element | null, room: string): Element[] {
    const bound = (name: string) => {
      const text = asked?.getAttribute(name) ?? '';
      return /^\d{1,9}$/.test(text) ? Number(text) : null;
    };
    const seconds = bound('seconds');
    const since = Math.max(
      seconds === null ? 0 : Date.now() - seconds * 1000,
      // Stamps have whole seconds: what was said within that second is told again.
      Date.parse(asked?.getAttribute('since') ?? '') || 0,
    );
    const recent = this.#said.filter(({ at }) => at >= since).map((said) => toldLater(said, room));
    const chosen = newest(recent, bound('maxstanzas') ?? recent.length);
    const most = bound('maxchars');
    if (most === null) return chosen;
    let length = 0;
    const fitting = chosen.toReversed().filter((message) => (length += message.toString().length) <= most);
    return fitting.toReversed();
  }
}

function newest<T>(list: readonly T[], most: number): T[] {
  return most === 0 ? [] : list.slice(-most);
}

/** A copy that says when it was said (XEP-0203). */
export function toldLater({ message, at }: Said, room: string): Element {
  const copy = message.clone();
  copy.appendChild(xml('delay', { xmlns: NS.DELAY, from: room, stamp: new Date(at).toISOString() }));
  return copy;
}
