import { Acknowledgements } from './acknowledgements.js';
import type { Remains } from './closing.js';
import { Delivery } from './delivery.js';
import { Ending } from './ending.js';
import { Intake, type IntakeOwner } from './intake.js';
import type { BrokerError } from '../errors.js';
import type { DialectConfig, Established } from '../protocols/dialect.js';
import { SendBuffer, type SendBufferOwner } from '../queue/send-buffer.js';
import type { Ticket } from '../queue/ticket.js';
import type { ManagedSession, Place } from '../protocols/features/managed-session.js';
import * as linkErrors from './errors.js';
import { Probe } from './probe.js';
import { Proof } from './proof.js';
import type { LinkOwner, LinkParts, Negotiated } from './contract.js';
import { isStreamError, redirectable } from '../stream/stream-error.js';
import type { StreamConsumer, XmlStream } from '../stream/xml-stream.js';
import { isStanzaKind } from '../stanza/kinds.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { SerializeScope } from '../xml/serializer.js';
import { Translation } from './translation.js';
import { Watchdogs, type WatchdogsOwner } from './watchdogs.js';

const NONE: readonly Element[] = [];

/** A ready stream: stanzas go out through the send buffer and come in to the router, until it ends. */
export class Link implements StreamConsumer, SendBufferOwner, WatchdogsOwner {
  readonly #parts: LinkParts;
  readonly #owner: LinkOwner;
  readonly #established: Established;
  /** Whether the server's certificate was checked. */
  readonly #verified: boolean;
  /** What arrived during the negotiation and was set aside, until it is delivered. */
  #deferredElements: readonly Element[];
  readonly #stream: XmlStream;
  readonly #buffer: SendBuffer;
  readonly #acks: Acknowledgements | null;
  readonly #watchdogs: Watchdogs;
  readonly #proof: Proof;
  /** Null: a stanza is handled when it was delivered. */
  readonly #intake: Intake | null;
  readonly #dialectConfig: DialectConfig;
  /** What many a quiet link never needs is made when it is asked for. */
  #translation: Translation | null = null;
  #probe: Probe | null = null;
  /** Null while the link is open. */
  #ending: Ending | null = null;
  readonly #delivery: Delivery;

  constructor(parts: LinkParts, owner: LinkOwner, negotiated: Negotiated) {
    this.#parts = parts;
    this.#owner = owner;
    this.#established = negotiated.established;
    this.#verified = negotiated.verified;
    this.#deferredElements = negotiated.deferredElements;
    this.#stream = negotiated.stream;
    this.#buffer = new SendBuffer(this, this.#stream.framing.separate);
    this.#dialectConfig = negotiated.dialectConfig;
    this.#proof = new Proof(negotiated.established.resumed ?? false);
    const { management } = negotiated.established;
    this.#acks = management === undefined || management === null ? null : this.#acknowledgements(management);
    const { acknowledge, limits } = parts.config;
    this.#intake = acknowledge === 'settled' ? new Intake(limits.unsettled, this.#intakeOwner()) : null;
    this.#delivery = new Delivery({ router: parts.router, acks: this.#acks, intake: this.#intake });
    const { certificateExpiry } = negotiated;
    const idleSeconds = negotiated.established.limits?.idleSeconds ?? null;
    this.#watchdogs = new Watchdogs(parts.config, { stream: this.#stream, certificateExpiry, idleSeconds }, this);
  }

  get #translator(): Translation {
    return (this.#translation ??= this.#translationMade());
  }

  get #prober(): Probe {
    return (this.#probe ??= this.#probeMade());
  }

  get #end(): Ending {
    return (this.#ending ??= this.#endingMade());
  }

  /** Whether what arrives is delivered. */
  get #isAlive(): boolean {
    return this.#ending === null || this.#ending.isAlive;
  }

  /** Most bytes of a stanza that the server takes, or null. */
  get maxBytes(): number | null {
    return this.#established.limits?.maxBytes ?? null;
  }

  /** Whether stanzas may be sent. */
  get ready(): boolean {
    return this.#ending === null || this.#ending.isOpen;
  }

  /** Whether what was accepted for it may still go out. */
  get takes(): boolean {
    return this.#ending === null || this.#ending.takes;
  }

  /** What it costs to keep what was accepted and not yet written, or with stream management not yet acknowledged. */
  get cost(): number {
    return this.#buffer.waitingCost + Math.max(this.#buffer.inFlightCost, this.#acks?.session.cost ?? 0);
  }

  /** Stanzas that the server has acknowledged in the session of this link; 0 without stream management. */
  get acknowledged(): number {
    return this.#acks?.session.acked ?? 0;
  }

  /** Whether a stanza is being delivered. */
  delivers(stanza: Element): boolean {
    return this.#delivery.delivers(stanza);
  }

  /** Where a stanza that is being delivered stands in a session that can be resumed, else null. */
  placeOf(stanza: Element): Place | null {
    return this.#delivery.placeOf(stanza);
  }

  /** A bound of {@link cost} that costs nothing. */
  get costAtMost(): number {
    return this.#buffer.waitingCost + Math.max(this.#buffer.inFlightCostAtMost, this.#acks?.session.cost ?? 0);
  }

  /** Starts delivery: first what was set aside during negotiation, then what the stream brings. */
  start(): void {
    if (this.#ending?.isOver === true) return;
    // What came before stream management was on is not counted by it (XEP-0198 §3).
    const counts = this.#established.countsDeferred ?? this.#established.resumed ?? false;
    // An acknowledgement from before <enabled/> or <resumed/> is older than what that said.
    for (const element of this.#deferredElements)
      if (!element.is('a', NS.SM) && this.#receive(element, counts)) while (this.goOn());
    this.#deferredElements = NONE;
    this.#stream.flow(this);
  }

  /**
   * Sends a stanza. The element is given when it is at hand; else it is read back if the dialect must wrap it.
   * @throws BrokerError what the dialect throws, or `DIALECT_FAILED`; nothing was accepted then
   */
  output(ticket: Ticket, element?: Element): void {
    const wraps = this.#parts.config.connectionType.wrap !== undefined;
    const text = wraps ? this.#translator.outbound(element ?? ticket.node) : ticket.xml;
    this.#buffer.push(ticket, text, element);
  }

  /** Writes an element that is no stanza, in order with the stanzas. */
  send(element: Element): void {
    this.#translator.send(element);
  }

  /**
   * Sends what a resumed session has not had acknowledged again, and asks for it, with nothing to send, too: a resumption
   * has to prove itself.
   */
  replay(tickets: readonly Ticket[]): void {
    try {
      for (const ticket of tickets) this.output(ticket);
    } catch (error) {
      // What was counted cannot be sent: the session cannot go on.
      this.#acks?.session.abandon();
      this.#giveUp(error as BrokerError);
      return;
    }
    this.#acks?.prove();
  }

  /**
   * Closes the stream as RFC 6120 §4.4 has it: what was accepted goes out, then our closing tag; what still arrives
   * is delivered until the peer closes or the time is over. Resolves when the socket is closed, whoever began it. Again, it
   * only makes the time shorter.
   */
  shutdown(limitMs: number): Promise<void> {
    return this.#end.shutdown(limitMs);
  }

  /** Closes the stream to make room for a new attempt. Resolves as {@link shutdown} does. */
  replace(): Promise<void> {
    return this.#end.replace();
  }

  /** Drops everything at once, without an event. What was not written fails with the error. */
  halt(error: BrokerError): void {
    this.#end.halt();
    const { inFlight, waiting, session } = this.#stop();
    for (const ticket of [...inFlight, ...waiting, ...(session?.takeUnacked() ?? [])]) ticket.markFailed(error);
    this.#end.over();
  }

  write(text: string, done: (error?: Error | null) => void): boolean {
    this.#watchdogs.wrote();
    return this.#stream.transport.write(text, done);
  }

  handedOver(ticket: Ticket, element: Element | undefined): void {
    this.#parts.tally.stanzaOut(ticket.kind);
    ticket.attempts += 1;
    this.#acks?.sent(ticket);
    ticket.record?.handedOver();
    this.#parts.traffic.handedOver(ticket, element);
  }

  written(ticket: Ticket): void {
    ticket.markSent();
  }

  onActivity(): void {
    this.#watchdogs.activity();
  }

  onDrain(): void {
    this.#buffer.drained();
  }

  onElement(element: Element): boolean {
    return this.#receive(element, true);
  }

  goOn(): boolean {
    return this.#isAlive && this.#delivery.goOn();
  }

  /**
   * @param counts whether stream management counts it, if it is a stanza
   * @returns whether it takes more than one turn of the event loop
   */
  #receive(element: Element, counts: boolean): boolean {
    if (!this.#isAlive || this.#probe?.isAnswer(element) === true) return false;
    this.#parts.traffic.received(element);
    const { namespaceURI } = element;
    if (namespaceURI === NS.STREAM) {
      this.#streamElement(element);
      return false;
    }
    if (namespaceURI === NS.SM && this.#acks !== null) {
      this.#managementElement(element, this.#acks);
      return false;
    }
    let stanza: Element | undefined;
    try {
      stanza = this.#translator.inbound(element);
    } catch (error) {
      this.#parts.status.publish('PCJ_PROTOCOLERROR', error as BrokerError);
      return false;
    }
    this.#proof.received();
    const { xmlns } = this.#parts.config;
    const counted = counts && isStanzaKind(element.localName) && namespaceURI === xmlns;
    if (stanza !== undefined) this.#parts.tally.stanzaIn(stanza.localName);
    return this.#delivery.deliver(stanza, counted);
  }

  onStreamEnd(): void {
    this.#end.peerEnded();
  }

  onXmlError(error: BrokerError): void {
    if (!this.#isAlive) return;
    const condition = error.condition ?? 'not-well-formed';
    // A peer that sends broken XML once may be healthy again after a reconnect.
    const seen = error.with({ phase: 'ready', sentCondition: condition, retryable: true });
    this.#parts.status.publish('PCJ_PROTOCOLERROR', seen);
    this.#giveUp(seen);
  }

  onClose(error: BrokerError | null): void {
    const outcome = this.#end.socketClosed(error);
    if (outcome === null) return;
    const remains = this.#stop();
    const { good, doubted } = this.#proof;
    this.#owner.ended({ ...outcome, ...remains, good, doubted });
    this.#end.over();
  }

  /** Ends all waiting and sending. */
  #stop(): Remains {
    this.#end.stop();
    this.#watchdogs.stop();
    this.#acks?.stop();
    this.#intake?.close();
    return { ...this.#buffer.close(), session: this.#acks?.session ?? null };
  }

  #streamElement(element: Element): void {
    if (isStreamError(element)) {
      const error = redirectable(linkErrors.streamErrorOf(element), this.#verified);
      this.#parts.status.publish('PCJ_PROTOCOLERROR', error);
      this.#end.lose(error, () => this.#stream.sendEnd());
      return;
    }
    if (element.localName === 'features' && this.#established.lateFeatures === true) return;
    // RFC 6120 §4.3.5: nothing is negotiated again on a stream that is complete.
    this.#parts.status.publish('PCJ_PROTOCOLERROR', linkErrors.unexpected(element));
  }

  #translationMade(): Translation {
    const { config, status, traffic } = this.#parts;
    const { connectionType, xmlns } = config;
    const { jid } = this.#established;
    const scope: SerializeScope = { defaultNamespace: xmlns, prefixes: { stream: NS.STREAM } };
    const parts = { jid, config: this.#dialectConfig, status, traffic, buffer: this.#buffer, scope };
    return new Translation(connectionType, parts);
  }

  #probeMade(): Probe {
    const { config, status, requester } = this.#parts;
    const [stream, buffer, acks, translation] = [this.#stream, this.#buffer, this.#acks, this.#translator];
    return new Probe({ config, status, requester, stream, buffer, acks, translation });
  }

  #endingMade(): Ending {
    const { config, status } = this.#parts;
    const [stream, buffer, acks] = [this.#stream, this.#buffer, this.#acks];
    const [proof, intake] = [this.#proof, this.#intake];
    return new Ending({ config, status, stream, buffer, acks, proof, intake }, this.#owner);
  }

  #intakeOwner(): IntakeOwner {
    const { status, requests } = this.#parts;
    return {
      settled: (counted) => this.#acks?.session.onHandled(counted),
      tell: () => {
        if (this.#isAlive) this.#acks?.tell();
      },
      hold: (held, unsettled) => {
        this.#stream.hold(held);
        this.#watchdogs.hold(held);
        this.#acks?.hold(held);
        status.publish('PCJ_INTAKE', { paused: held, unsettled });
      },
      // At the end of the stream the peer's end is waited for, which is behind everything.
      awaitsAnswer: () => requests.size > 0 || !this.ready,
      overflow: (error) => this.#giveUp(error),
    };
  }

  /** A request was sent: its answer must not wait behind what is not read. */
  requestBegan(): void {
    this.#intake?.look();
  }

  #acknowledgements(session: ManagedSession): Acknowledgements {
    const { liveness } = this.#parts.config;
    return new Acknowledgements(session, liveness === false ? null : liveness.intervalMs + liveness.timeoutMs, {
      write: (text) => {
        // Nothing follows our closing tag (RFC 6120 §4.4).
        if (!this.#stream.endSent) this.#buffer.urgent(text);
      },
      hold: (held) => this.#buffer.hold(held),
      asked: () => this.#watchdogs.expectSign(),
      answered: (fresh) => this.#proof.acknowledged(fresh, session.size),
      acked: (acked) => {
        this.#parts.status.publish('PCJ_SM_ACK', { acked, pending: session.size });
      },
      unanswered: (limitMs) =>
        this.#stream.rests ? this.#acks?.hold(false) : this.#giveUp(linkErrors.notAcknowledged(limitMs)),
    });
  }

  #managementElement(element: Element, acks: Acknowledgements): void {
    if (element.localName === 'r') this.#intake?.asked();
    const fault = acks.receive(element);
    if (fault === null) return;
    this.#parts.status.publish('PCJ_PROTOCOLERROR', fault.error);
    if (fault.ignored !== true) this.#giveUp(fault.error, fault.appCondition);
  }

  probe(): void {
    if (this.ready) this.#prober.ask();
  }

  dead(limitMs: number): void {
    // While what was read waits for its turn, the silence is ours.
    if (this.#prober.isQuestion && !this.#stream.rests) this.#giveUp(linkErrors.noSignOfLife(limitMs));
    else this.#watchdogs.forgiveSilence();
  }

  certificateExpired(): void {
    this.#giveUp(linkErrors.certificateExpired());
  }

  speak(): void {
    this.#prober.speak();
  }

  slowStanza(limitMs: number): void {
    const error = linkErrors.slowStanza(limitMs);
    if (this.#isAlive) this.#parts.status.publish('PCJ_PROTOCOLERROR', error);
    this.#giveUp(error);
  }

  /** Ends the link because of what we found, and tells the peer why. */
  #giveUp(error: BrokerError, appCondition?: Element): void {
    this.#end.lose(error, () => {
      this.#stream.closeWithError(error.sentCondition ?? 'undefined-condition', appCondition);
    });
  }
}
