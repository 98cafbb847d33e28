// What of the traffic one page is shown: as much as it can read, and how much else there was.
import type { StatusEvent } from '../events.js';
import { redacted } from '../stanza/redaction.js';
import type { Element } from '../xml/element.js';
import { describePayload, describeStanza, line } from './described.js';
import type { Row, RowKind, Traffic } from './messages.js';
import { now } from './timeline.js';
import type { View } from './view.js';

/** Most rows between two messages: of stanzas, and of everything else. */
const MOST_STANZAS = 30;
const MOST_OTHERS = 30;
/** Most text of stanzas between two messages, in UTF-16 code units. */
const MOST_TEXT = 262_144;

/** Gathers rows for the next message. What is more than a page can show is only counted. */
export class Sample {
  readonly #view: View;
  #rows: Row[] = [];
  #number = 0;
  #stanzas = 0;
  #others = 0;
  #text = 0;
  #seen = 0;
  /** Whether the page was told that something is left out. */
  #told = false;

  constructor(view: View) {
    this.#view = view;
  }

  /** Runs for each stanza while somebody looks: beyond the bound it does nothing but count. */
  stanza(what: RowKind, element: Element): void {
    const { filter } = this.#view;
    if (filter !== null && !filter.matches(redacted(element))) return;
    this.#seen += 1;
    if (this.#stanzas >= MOST_STANZAS || this.#text >= MOST_TEXT) return;
    this.#stanzas += 1;
    const described = describeStanza(element);
    this.#text += described.xml?.length ?? 0;
    this.#add({ what, ...described });
  }

  event(what: RowKind, event: StatusEvent, payload: unknown): void {
    this.#seen += 1;
    if (this.#others >= MOST_OTHERS) return;
    this.#others += 1;
    this.#add({ what, title: line(event), text: describePayload(payload), from: null, to: null, xml: null });
  }

  /**
   * What there was since the last time; null: nothing that the page does not know.
   * @param isBehind whether nothing can be told now: then it is counted, to be told of later
   */
  take(isBehind: boolean): Traffic | null {
    const rows = this.#rows;
    this.#rows = [];
    this.#stanzas = this.#others = this.#text = 0;
    // That nothing is left out any more is told once.
    if (isBehind || (this.#seen === 0 && !this.#told)) return null;
    const seen = this.#seen;
    const left = seen - rows.length;
    this.#seen = 0;
    this.#told = left > 0;
    return { kind: 'traffic', rows, seen, left, aside: this.#view.filter?.isAside === true };
  }

  #add(row: Omit<Row, 'number' | 'at'>): void {
    this.#number += 1;
    this.#rows.push({ number: this.#number, at: now(), ...row });
  }
}
