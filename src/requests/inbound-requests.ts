// The duty to answer: RFC 6120 §8.2.3.
import { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';

/** One inbound iq request that has no answer yet. */
export interface OpenRequest {
  readonly iq: Element;
  readonly id: string;
  readonly from: string | null;
  /** The answer, once it is known, while there is no link to send it on. */
  answer: Element | null;
  /** When it is answered without the program; null while nobody has promised anything. */
  timer: NodeJS.Timeout | null;
  /** Whether somebody has said that the answer comes later. */
  later: boolean;
}

/** Most requests of peers that are open at once. */
const LIMIT = 1_000;

/** What is remembered of a request that was answered without the program: not its stanza, which may be large. */
export interface AnsweredRequest {
  readonly id: string;
  readonly from: string | null;
  /** Name and namespace of its payload. */
  readonly payload: string | undefined;
  readonly namespace: string | null | undefined;
}

/** Most answers that are remembered, to tell a second one. */
const REMEMBERED = 1_000;

/** The inbound iq requests that nobody has answered yet, found by their id and sender. */
export class InboundRequests {
  #open: Map<string, OpenRequest[]> | null = null;
  #size = 0;
  /** Requests that were answered without the program, oldest first. */
  #answered: Map<string, AnsweredRequest> | null = null;

  /**
   * An iq get or set arrived.
   * @returns it, and the oldest one, which is open no more, if there were too many
   */
  arrived(iq: Element): { open: OpenRequest; pushedOut: OpenRequest | null } {
    const id = iq.getAttribute('id') ?? '';
    const open: OpenRequest = { iq, id, from: iq.getAttribute('from'), answer: null, timer: null, later: false };
    const requests = (this.#open ??= new Map<string, OpenRequest[]>());
    const same = requests.get(id);
    if (same === undefined) requests.set(id, [open]);
    else same.push(open);
    this.#size += 1;
    return { open, pushedOut: this.#size > LIMIT ? this.#takeOldest(requests) : null };
  }

  /** The open request of an element that was delivered. */
  of(iq: Element): OpenRequest | null {
    return this.#open?.get(iq.getAttribute('id') ?? '')?.find((open) => open.iq === iq) ?? null;
  }

  has(open: OpenRequest): boolean {
    return this.#open?.get(open.id)?.includes(open) === true;
  }

  /** Takes a request that is still open. Returns whether it was. */
  take(open: OpenRequest): boolean {
    const same = this.#open?.get(open.id);
    const at = same?.indexOf(open) ?? -1;
    if (same === undefined || at < 0) return false;
    if (same.length === 1) this.#open?.delete(open.id);
    else same.splice(at, 1);
    this.#size -= 1;
    if (open.timer !== null) clearTimeout(open.timer);
    open.timer = null;
    return true;
  }

  /**
   * An iq result or error goes out: whatever it answers is open no more.
   * @returns the request that had been answered before, if this is a second answer
   */
  sent(answer: Element): AnsweredRequest | null {
    const id = answer.getAttribute('id') ?? '';
    const to = answer.getAttribute('to');
    const open = this.#open?.get(id)?.find(({ from }) => isSame(from, to));
    if (open !== undefined) {
      this.take(open);
      return null;
    }
    const before = this.#answered?.get(id);
    if (before === undefined || !isSame(before.from, to)) return null;
    this.#answered?.delete(id);
    return before;
  }

  /** A request was answered without the program. */
  remember({ id, from, iq }: OpenRequest): void {
    const answered = (this.#answered ??= new Map<string, AnsweredRequest>());
    const payload = iq.firstElementChild;
    answered.set(copied(id), {
      id: copied(id),
      from: copied(from),
      payload: copied(payload?.localName),
      namespace: copied(payload?.namespaceURI),
    });
    if (answered.size <= REMEMBERED) return;
    for (const oldest of answered.keys()) {
      answered.delete(oldest);
      return;
    }
  }

  /** The open requests whose answer waits for a link. */
  get owed(): OpenRequest[] {
    return [...(this.#open?.values() ?? [])].flat().filter(({ answer }) => answer !== null);
  }

  /** Forgets everything: the session that the requests came on is over. */
  clear(): void {
    for (const open of [...(this.#open?.values() ?? [])].flat()) if (open.timer !== null) clearTimeout(open.timer);
    this.#open = null;
    this.#size = 0;
    this.#answered = null;
  }

  #takeOldest(requests: Map<string, OpenRequest[]>): OpenRequest {
    const [oldest] = requests.values().next().value as [OpenRequest];
    this.take(oldest);
    return oldest;
  }
}

/** A text that shares its characters with no other: a part of a text keeps all of it, which may be all that came with it. */
function copied<Text extends string | null | undefined>(text: Text): Text {
  return (typeof text === 'string' ? Buffer.from(text).toString() : text) as Text;
}

function isSame(a: string | null, b: string | null): boolean {
  return a === b || (a !== null && b !== null && JID.equivalent(a, b));
}
