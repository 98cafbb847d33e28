import { setTimeout as delay } from 'node:timers/promises';
import { Deferred } from '../deferred.js';
import type { JID } from '../jid/jid.js';
import { isForeignProbe } from '../protocols/component-probe.js';
import { isStanzaKind } from '../stanza/kinds.js';
import { reply } from '../stanza/replies.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { Connection } from './connection.js';

/** An element of a recording: one of the server's, or a stanza of the client's. */
export interface RecordedStep {
  /** Milliseconds since the recording began. */
  readonly at: number;
  readonly from: 'client' | 'server';
  readonly element: Element;
}

/** What happened on one stream behind its sign-in. */
export interface RecordedSession {
  /** The address that was signed in. */
  readonly jid: JID;
  /** When that was, in milliseconds since the recording began. */
  readonly at: number;
  /** Whether the session before it went on (XEP-0198). */
  readonly resumed: boolean;
  readonly steps: readonly RecordedStep[];
  /** Whether the link was lost at the end. */
  readonly lost: boolean;
}

/** How a session was played. */
export interface Played {
  /** Elements of the server that were not sent, because the program sent less than was recorded. */
  readonly left: number;
  /** Stanzas of the program, and those in the recording. */
  readonly heard: number;
  readonly recorded: number;
}

/**
 * Plays the server's part of a recorded session to a program. What the server sent is sent when the program has sent as
 * many stanzas as there were before it in the recording. Ids of the program's stanzas take the place of those that were
 * recorded: in answers, and wherever else the server gave them back.
 */
export class Replay {
  readonly #session: RecordedSession;
  readonly #connection: Connection;
  readonly #paced: boolean;
  readonly #over = new AbortController();
  /** Ids of the program, by those in the recording. */
  readonly #ids = new Map<string, string>();
  /** Stanzas of the recording that none of the program's was found to be. */
  readonly #unmatched: Element[];
  #heard = 0;
  #more = new Deferred<void>();

  /** @param paced whether the server takes as long as it took */
  constructor(session: RecordedSession, connection: Connection, paced: boolean) {
    this.#session = session;
    this.#connection = connection;
    this.#paced = paced;
    this.#unmatched = session.steps.filter(({ from }) => from === 'client').map(({ element }) => element);
  }

  /** A first-level element of the program, or the stanza in it. */
  received(element: Element): void {
    if (!isStanzaKind(element.localName)) return;
    if (isQuestion(element, this.#session.jid)) {
      this.#connection.write(element.firstElementChild?.namespaceURI === NS.PING ? reply(element) : element);
      return;
    }
    this.#heard += 1;
    const shape = shapeOf(element);
    const index = this.#unmatched.findIndex((recorded) => shapeOf(recorded) === shape);
    const [recorded] = index < 0 ? [] : this.#unmatched.splice(index, 1);
    const [before, now] = [recorded?.getAttribute('id') ?? null, element.getAttribute('id')];
    if (before !== null && now !== null) this.#ids.set(before, now);
    const more = this.#more;
    this.#more = new Deferred();
    more.resolve();
  }

  /** The connection is over. */
  end(): void {
    this.#over.abort();
    this.#more.resolve();
  }

  /** Plays it, until its end or that of the connection. Never rejects. */
  async run(): Promise<Played> {
    const { steps, at, lost } = this.#session;
    let recorded = 0;
    let done = 0;
    let before = at;
    for (const step of steps) {
      if (step.from === 'client') recorded += 1;
      while (this.#heard < recorded && !this.#isOver()) await this.#more.promise;
      if (step.from === 'server') await this.#pause(step.at - before);
      if (this.#isOver()) break;
      if (step.from === 'server') this.#connection.write(this.#renamed(step.element));
      before = step.at;
      done += 1;
    }
    if (lost && !this.#isOver()) this.#connection.stream.transport.end();
    const left = steps.slice(done).filter(({ from }) => from === 'server').length;
    return { left, heard: this.#heard, recorded: steps.filter(({ from }) => from === 'client').length };
  }

  #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  async #pause(milliseconds: number): Promise<void> {
    if (!this.#paced || milliseconds <= 0) return;
    // The end of the connection ends it.
    await delay(milliseconds, undefined, { signal: this.#over.signal }).catch(() => undefined);
  }

  #renamed(element: Element): Element {
    const copy = element.clone();
    const stanza = copy.is('route', NS.JABBERD2_COMPONENT) ? (copy.firstElementChild ?? copy) : copy;
    const type = stanza.getAttribute('type');
    // A request of the server has an id of its own.
    const isRequest = stanza.localName === 'iq' && (type === 'get' || type === 'set');
    if (!isRequest) this.#rename(stanza);
    for (const child of stanza.children) this.#renameBelow(child);
    return copy;
  }

  #renameBelow(element: Element): void {
    this.#rename(element);
    for (const child of element.children) this.#renameBelow(child);
  }

  #rename(element: Element): void {
    const id = element.getAttribute('id');
    const now = id === null ? undefined : this.#ids.get(id);
    if (now !== undefined) element.setAttribute('id', now);
  }
}

/** What two stanzas have in common that are the same step of a program. */
function shapeOf(stanza: Element): string {
  const child = stanza.firstElementChild;
  const type = stanza.getAttribute('type') ?? '';
  return JSON.stringify([stanza.localName, type, child?.namespaceURI ?? '', child?.localName ?? '']);
}

/**
 * Whether a program asks whether the other side is there: a ping of its server, or a component's question to itself. It
 * does so when it hears nothing for a while, so that is no step of a recording, and is answered at once.
 */
export function isQuestion(stanza: Element, own: JID): boolean {
  if (stanza.localName !== 'iq' || stanza.getAttribute('type') !== 'get') return false;
  const to = stanza.getAttribute('to');
  const isPing = stanza.firstElementChild?.is('ping', NS.PING) === true;
  return (isPing && (to === null || to === own.domain)) || isForeignProbe(stanza, () => true);
}
