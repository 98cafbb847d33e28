// Acknowledgements on a running link: XEP-0198 §4.
import { BrokerError } from '../errors.js';
import type { ManagedSession } from '../protocols/features/managed-session.js';
import type { Ticket } from '../queue/ticket.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';

/** Stanzas after which an acknowledgement is asked for, unless one is awaited already. */
const STANZAS_PER_REQUEST = 5;

/** Quiet time after which one is asked for all the same, in milliseconds. */
const QUIET_MS = 5_000;

/** How long a resumed session gets to show that it works, in milliseconds. */
const PROOF_MS = 5_000;

/** Stanzas that may be unacknowledged before the rest waits. */
const UNACKED_LIMIT = 10_000;

const REQUEST = `<r xmlns='${NS.SM}'/>`;

/** Who has the acknowledgements of a link, and writes for them. */
export interface AcknowledgementsOwner {
  /** Writes ahead of stanzas that wait. The text is made when it is written. */
  write(text: () => string): void;
  /** Holds stanzas back, or lets them flow. */
  hold(held: boolean): void;
  /** An acknowledgement was asked for: the peer has to answer. */
  asked(): void;
  /** The peer told its count: so many stanzas are acknowledged by it. */
  answered(fresh: number): void;
  acked(tickets: readonly Ticket[]): void;
  /** The peer was asked and did not answer in time. */
  unanswered(limitMs: number): void;
}

/** Asks for acknowledgements, gives them, and counts: the running part of a managed session on one link. */
export class Acknowledgements {
  readonly session: ManagedSession;
  readonly #owner: AcknowledgementsOwner;
  readonly #answerMs: number | null;
  #unasked = 0;
  #awaited = false;
  #held = false;
  /** An acknowledgement of ours is on its way to the socket. */
  #owed = false;
  #timer: NodeJS.Timeout | null = null;
  #deadline: NodeJS.Timeout | null = null;

  /** @param answerMs how long the peer may take to acknowledge when asked, whatever else it sends; null for ever */
  constructor(session: ManagedSession, answerMs: number | null, owner: AcknowledgementsOwner) {
    this.session = session;
    this.#answerMs = answerMs;
    this.#owner = owner;
  }

  /** A stanza was handed to the socket; again, if it is sent again in a resumed session. */
  sent(ticket: Ticket): void {
    if (ticket.kind === 'other') return;
    if (!ticket.inSession) {
      ticket.inSession = true;
      ticket.expectAck();
      this.session.onSent(ticket);
      // Not what is sent again: it is counted already, and nothing would let it flow.
      if (this.session.size >= UNACKED_LIMIT && !this.#held) {
        this.#held = true;
        this.#owner.hold(true);
      }
    }
    // Whether a suspect is through has to be known soon.
    this.#unasked += ticket.isSuspect ? STANZAS_PER_REQUEST : 1;
    if (this.#unasked >= STANZAS_PER_REQUEST) this.request();
    else if (!this.#awaited) this.#timer ??= setTimeout(this.#onQuiet, QUIET_MS).unref();
  }

  /** Asks for an acknowledgement, unless one is awaited. */
  request(): void {
    if (!this.#awaited) this.#ask();
  }

  /** Asks at once, behind what a resumed session sends again, and waits for the answer no longer than a few seconds. */
  prove(): void {
    // What is sent again may have asked already, with all the time of a running link.
    this.#stopDeadline();
    this.#ask(PROOF_MS);
  }

  /** Before the stream is closed in order: asks for what is still unproved, and tells what we have handled. */
  farewell(): void {
    if (this.session.size > 0) this.#ask();
    if (!this.#owed || this.session.keeper !== null) this.#write();
  }

  /**
   * An element of the stream management namespace arrived.
   * @returns what is wrong with it: `SM_BAD_H`, `SM_UNEXPECTED`. `appCondition` is what the stream error should carry
   * besides; `ignored`: nothing follows from it
   */
  receive(element: Element): { error: BrokerError; appCondition?: Element; ignored?: boolean } | null {
    if (element.localName === 'r') {
      this.#tell();
      return null;
    }
    if (element.localName !== 'a') {
      // What was said once may be said again: nothing changes by it.
      const repeats = element.localName === 'enabled' || element.localName === 'resumed';
      return { error: unexpected(element), ignored: repeats };
    }
    const h = element.getAttribute('h');
    let acked: Ticket[];
    try {
      acked = this.session.onAck(h);
    } catch (error) {
      return {
        error: (error as BrokerError).with({ phase: 'ready', retryable: true }),
        appCondition: tooHigh(h ?? '', this.session),
      };
    }
    this.#awaited = false;
    this.#stopDeadline();
    for (const ticket of acked) ticket.inSession = false;
    if (this.#held && this.session.size < UNACKED_LIMIT / 2) {
      this.#held = false;
      this.#owner.hold(false);
    }
    this.#owner.answered(acked.length);
    if (acked.length > 0) this.#owner.acked(acked);
    if (this.#unasked >= STANZAS_PER_REQUEST) this.request();
    else if (this.#unasked > 0) this.#timer ??= setTimeout(this.#onQuiet, QUIET_MS).unref();
    return null;
  }

  /** Tells what we have handled, though nobody has asked: it was asked before, and there is more now. */
  tell(): void {
    this.#tell();
  }

  /** Nothing is read for a while, so no answer can come: the time for it begins anew behind that. */
  hold(held: boolean): void {
    this.#stopDeadline();
    if (!held && this.#awaited) this.#await(this.#answerMs);
  }

  /** Ends all waiting. */
  stop(): void {
    this.#stopQuiet();
    this.#stopDeadline();
  }

  #ask(limit = this.#answerMs): void {
    this.#awaited = true;
    this.#unasked = 0;
    this.#stopQuiet();
    this.#owner.write(() => REQUEST);
    this.#owner.asked();
    this.#await(limit);
  }

  #await(limit: number | null): void {
    if (limit === null) return;
    this.#deadline ??= setTimeout(() => {
      this.#owner.unanswered(limit);
    }, limit).unref();
  }

  /** One answer that is on its way will tell the newest count: a peer that asks without end gets no queue of them. */
  #tell(): void {
    if (this.#owed) return;
    const { keeper } = this.session;
    if (keeper === null) {
      this.#write();
      return;
    }
    this.#owed = true;
    keeper.keep(this.session, this.#write);
  }

  readonly #write = (): void => {
    this.#owed = true;
    this.#owner.write(() => {
      this.#owed = false;
      return `<a xmlns='${NS.SM}' h='${String(this.session.tellable)}'/>`;
    });
  };

  #stopQuiet(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #stopDeadline(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#deadline = null;
  }

  readonly #onQuiet = (): void => {
    this.#timer = null;
    if (this.session.size > 0) this.request();
  };
}

function unexpected(element: Element): BrokerError {
  const text = `the server sent <${element.nodeName}/> in the middle of a managed session`;
  const facts = { layer: 'sm', origin: 'peer', phase: 'ready', sentCondition: 'undefined-condition' } as const;
  return new BrokerError('SM_UNEXPECTED', text, { ...facts, retryable: true });
}

/** The stream error for an acknowledgement of more than was sent (XEP-0198 §6). */
function tooHigh(h: string, session: ManagedSession): Element {
  return xml('handled-count-too-high', { xmlns: NS.SM, h, 'send-count': session.sent });
}
