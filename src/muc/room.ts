// A room as an occupant sees it: XEP-0045, with the self-ping of XEP-0410.
import { kindOf } from '../arguments/values.js';
import type { Broker } from '../broker/broker.js';
import { Deferred } from '../deferred.js';
import { usageError, type BrokerError } from '../errors.js';
import { addressOf, roomAddress } from './address.js';
import type { Handler, Publication, SubscribeOptions, Subscription } from '../pubsub/pubsub.js';
import type { Ticket } from '../queue/ticket.js';
import { newId } from '../stanza/id.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { configure } from './configure.js';
import { Entrance } from './entrance.js';
import { left, notAsked, notCreated, offline, outside } from './errors.js';
import { readPresence, type Occupant, type RoomPresence } from './occupant.js';
import { EVENTS, type RoomEvents, type RoomState } from './room-events.js';
import { readRoomOptions, type RoomOptions } from './options.js';
import { said, stampOf, subjectOf } from './room-message.js';
import { enroll } from './rooms.js';
import { stillInside } from './self-ping.js';
import { departureOf, entersAgain, type Departure } from './what-follows.js';

/** How long the room may take to say that we left, in milliseconds. */
const LEAVE_MS = 5_000;

const NO_DETAILS = { actor: null, reason: null, alternate: null };

/**
 * One room and us in it. It is entered with `join()` and, until `leave()`, entered again by itself when the session was
 * lost, the service restarted, or the room has forgotten us; not when somebody put us out.
 *
 * Events go over the broker's bus: a handler that throws is told of as every other.
 */
// It is a Member of its broker's rooms, too. What makes it one is left out of the declarations, so they must not say so.
export class Room implements AsyncDisposable {
  /** Bare address of the room. */
  readonly jid: string;
  readonly #broker: Broker;
  readonly #options: ReturnType<typeof readRoomOptions>;
  readonly #publications: ReadonlyMap<string, Publication<unknown>>;
  readonly #quit: () => void;
  readonly #occupants = new Map<string, Occupant>();
  readonly #entrance: Entrance;
  #state: RoomState = 'outside';
  #subject: string | null = null;
  /** Who waits for `join()`, and for `leave()`. */
  #joining: Deferred<void> | null = null;
  #leaving: Deferred<void> | null = null;
  /** Whether we made the room, and it is locked until it is configured. */
  #settingUp = false;
  /** A request of ours that is given up when we are out. */
  #asking: AbortController | null = null;
  #entered = false;
  /** What comes before the subject is history (XEP-0045 §7.2.2). */
  #live = false;
  #newest: Date | null = null;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param jid bare address of the room
   * @throws BrokerError `USAGE_ROOM`, and `USAGE_ROOM_TAKEN` if the broker has a `Room` of that address already
   */
  constructor(broker: Broker, jid: string, options: RoomOptions) {
    this.jid = roomAddress(jid);
    this.#options = readRoomOptions(options);
    this.#broker = broker;
    this.#entrance = new Entrance(broker, this.#options, this);
    this.#quit = enroll(broker, this);
    const names = EVENTS.map((name) => [name, broker.events.publish(this.#eventName(name))] as const);
    this.#publications = new Map(names);
  }

  /** What we are called; while outside, what we want to be called. */
  get nick(): string {
    return this.#entrance.nick;
  }

  /** @internal when the last message was said that we saw; null before any */
  get newest(): Date | null {
    return this.#newest;
  }

  get state(): RoomState {
    return this.#state;
  }

  /** Null before it is known. */
  get subject(): string | null {
    return this.#subject;
  }

  /** Who is in, by nickname, we too. Empty while outside. */
  get occupants(): ReadonlyMap<string, Occupant> {
    return this.#occupants;
  }

  /**
   * Calls a handler for each event of this room.
   * @throws BrokerError as `Broker.subscribe`, `USAGE_ROOM` for another name
   */
  subscribe<Name extends keyof RoomEvents>(
    event: Name,
    handler: Handler<RoomEvents[Name]>,
    options: SubscribeOptions = {},
  ): Subscription {
    if (!EVENTS.includes(event)) throw usageError('USAGE_ROOM', `a room has the events ${EVENTS.join(', ')}`);
    return this.#broker.events.subscribe(this.#eventName(event), handler, options);
  }

  /**
   * Enters the room, and stays. While the broker is not ready it waits; what may pass, such as a room that is full, is
   * tried again. Called while inside it does nothing; while leaving, it enters again behind that.
   * @returns a promise that resolves when we are in. Rejects with the StanzaError of a refusal that will not pass, or a
   * BrokerError: `MUC_LEFT`, `MUC_OFFLINE`, `MUC_NOT_CREATED`
   */
  join(): Promise<void> {
    if (this.#leaving !== null) return this.#leaving.promise.then(() => this.join());
    if (this.#state === 'inside') return Promise.resolve();
    if (this.#broker.state === 'halted') return Promise.reject(offline(undefined));
    if (this.#joining === null) {
      this.#joining = new Deferred();
      if (this.#state === 'outside') {
        this.#state = 'entering';
        this.#entrance.begin();
        this.#enter();
      }
    }
    return this.#joining.promise;
  }

  /** Leaves the room, and stays outside. Resolves when the room has said so, or does not answer. */
  async leave(status?: string): Promise<void> {
    if (this.#leaving !== null) return this.#leaving.promise;
    const { state } = this.#broker;
    const told = this.#state !== 'outside' && state === 'ready';
    const inside = this.#state === 'inside';
    if (told) {
      const children = status === undefined ? [] : [xml('status', {}, status)];
      this.#broker.output(xml('presence', { to: addressOf(this.jid, this.nick), type: 'unavailable' }, children));
    }
    if (!inside || !told) {
      this.#gone('left', false, NO_DETAILS, left(this.jid, 'left'));
      return;
    }
    const leaving = (this.#leaving = new Deferred());
    this.#wait(LEAVE_MS, () => this.#gone('left', false, NO_DETAILS, null));
    return leaving.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
    this.#quit();
    for (const publication of this.#publications.values()) publication.rescind();
  }

  /**
   * Says something in the room.
   * @param content the text, or what is in the message
   * @throws BrokerError `MUC_OUTSIDE` while not inside, `USAGE_ROOM`, and as `Broker.output`
   */
  send(content: string | Element | readonly Element[]): Ticket {
    return this.#say(this.jid, 'groupchat', content);
  }

  /** Says something to one occupant alone (XEP-0045 §7.5). @throws BrokerError as {@link send}, `USAGE_JID` for what can be no nickname */
  whisper(nick: string, content: string | Element | readonly Element[]): Ticket {
    return this.#say(addressOf(this.jid, nick), 'chat', content);
  }

  /** Changes the subject; the room tells by `subject` that it has. @throws BrokerError as {@link send} */
  setSubject(subject: string): Ticket {
    if (typeof subject !== 'string') throw usageError('USAGE_ROOM', `a subject is a string, not ${kindOf(subject)}`);
    return this.#say(this.jid, 'groupchat', xml('subject', {}, subject));
  }

  /** Asks for another nickname; the room tells by `occupant` that it has. @throws BrokerError as {@link send}, `USAGE_JID` */
  setNick(nick: string): Ticket {
    this.#refuseOutside();
    return this.#broker.output(xml('presence', { to: addressOf(this.jid, nick), id: newId() }));
  }

  /** @internal a stanza from the room or one in it */
  onStanza(stanza: Element, nick: string | null): void {
    if (this.#state === 'outside') return;
    const type = stanza.getAttribute('type');
    if (this.#state === 'inside' && this.#leaving === null) this.#keepAsking();
    if (stanza.localName === 'message') this.#onMessage(stanza, nick, type);
    else if (stanza.localName !== 'presence') return;
    else if (type === 'error') this.#onRefused(stanza, nick);
    else if (nick !== null) this.#onPresence(readPresence(stanza, nick), type === 'unavailable');
  }

  /** @internal the broker is ready */
  onReady(resumed: boolean): void {
    if (this.#state === 'outside') return;
    if (!resumed && this.#state === 'inside') this.#gone('lost', true, NO_DETAILS, null);
    else if (this.#state === 'entering') this.#enter();
    else void this.#ask();
  }

  /** @internal the link is gone; the session may go on */
  onDisconnect(): void {
    this.#stop();
    if (this.#leaving !== null) this.#gone('left', false, NO_DETAILS, null);
  }

  /** @internal the broker has come to rest, and does not come back by itself */
  onRest(error: BrokerError | undefined): void {
    if (this.#state === 'outside') return;
    this.#gone('lost', false, NO_DETAILS, offline(error));
  }

  /** @internal the room cannot be asked: `Entrance` says why */
  notAsked(cause: unknown): void {
    this.#gone('refused', false, NO_DETAILS, notAsked(cause));
  }

  #enter(): void {
    this.#stop();
    this.#occupants.clear();
    this.#live = false;
    this.#entrance.ask();
  }

  /** Gives up what is under way, and all waiting. */
  #stop(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#asking = null;
    this.#settingUp = false;
    this.#entrance.stop();
  }

  #onRefused(stanza: Element, nick: string | null): void {
    // An error about something else, such as a nickname that we wanted while inside.
    if (this.#state !== 'entering' || (nick !== null && nick !== this.nick)) return;
    const error = this.#entrance.refused(stanza);
    if (error !== null) this.#gone('refused', false, NO_DETAILS, error);
  }

  #onPresence(presence: RoomPresence, unavailable: boolean): void {
    const { occupant, codes, newNick } = presence;
    const mine = codes.has(110) || occupant.nick === this.nick;
    const before = this.#occupants.get(occupant.nick) ?? null;
    if (!unavailable) {
      this.#occupants.set(occupant.nick, occupant);
      if (this.#state === 'entering') {
        if (codes.has(110)) this.#onEntered(presence);
      } else if (before === null) this.#fire('occupant', { change: 'entered', occupant, before, departure: null });
      else this.#fire('occupant', { change: 'changed', occupant, before, departure: null });
      return;
    }
    this.#occupants.delete(occupant.nick);
    if (codes.has(303) && newNick !== null) {
      const renamed = { ...(before ?? occupant), nick: newNick };
      this.#occupants.set(newNick, renamed);
      if (mine) this.#entrance.renamed(newNick);
      this.#fire('occupant', { change: 'renamed', occupant: renamed, before, departure: null });
    } else if (mine) {
      // Destroying a room that must not be made puts us out; why is told by what was to be done.
      if (!this.#settingUp) this.#onOut(presence);
    } else if (this.#state === 'inside') {
      const departure = departureOf(codes, presence.destroyed);
      this.#fire('occupant', { change: 'left', occupant: before ?? occupant, before, departure });
    }
  }

  #onEntered({ occupant, codes }: RoomPresence): void {
    // The service may have chosen another nickname (status 210).
    this.#entrance.entered(occupant.nick);
    if (codes.has(201)) void this.#setUp();
    else this.#inside(false);
  }

  /** We made the room: it is locked until it is configured. */
  async #setUp(): Promise<void> {
    const { create = true, timeoutMs = 30_000 } = this.#options;
    const asking = (this.#asking = new AbortController());
    this.#settingUp = true;
    try {
      await configure(this.#broker, this.jid, create, { timeout: timeoutMs, signal: asking.signal });
      if (!asking.signal.aborted) this.#inside(true);
    } catch (cause) {
      if (asking.signal.aborted) return;
      this.#gone('refused', false, NO_DETAILS, notCreated(this.jid, cause));
    }
  }

  #inside(created: boolean): void {
    this.#state = 'inside';
    this.#settingUp = false;
    this.#asking = null;
    const again = this.#entered;
    this.#entered = true;
    this.#keepAsking();
    const joining = this.#joining;
    this.#joining = null;
    this.#fire('joined', { nick: this.nick, created, again });
    joining?.resolve();
  }

  #onOut({ codes, destroyed, actor, reason, alternate }: RoomPresence): void {
    const departure = this.#leaving === null ? departureOf(codes, destroyed) : 'left';
    const again = this.#leaving === null && entersAgain(departure);
    this.#gone(departure, again, { actor, reason, alternate }, null);
  }

  /** We are out, or were never let in. */
  #gone(
    departure: Departure,
    again: boolean,
    details: { actor: string | null; reason: string | null; alternate: string | null },
    error: BrokerError | null,
  ): void {
    if (this.#state === 'outside') return;
    const wasInside = this.#state === 'inside';
    this.#stop();
    this.#occupants.clear();
    this.#state = again ? 'entering' : 'outside';
    const joining = again ? null : this.#joining;
    const leaving = this.#leaving;
    if (!again) this.#joining = null;
    this.#leaving = null;
    if (again && wasInside) this.#entrance.comeBack();
    else if (again) this.#entrance.askLater();
    // Who waits for join() is told by its promise.
    if (wasInside || joining === null) this.#fire('left', { departure, again, ...details, error });
    joining?.reject(error ?? left(this.jid, departure));
    leaving?.resolve();
  }

  #onMessage(node: Element, nick: string | null, type: string | null): void {
    if (type === 'error') return;
    const stamp = stampOf(node, this.jid);
    const subject = type === 'groupchat' ? subjectOf(node) : null;
    if (subject !== null) {
      this.#live = true;
      this.#subject = subject;
      // One that was just made tells its empty subject before we are told that we are in.
      if (this.#state !== 'inside') return;
      this.#fire('subject', { subject, nick, history: stamp !== null });
      return;
    }
    const isPrivate = type !== 'groupchat';
    // A private word is none of an invitation or a configuration change.
    if (isPrivate && nick === null) return;
    const history = !isPrivate && !this.#live && stamp !== null;
    // What was said now was said now, whatever its sender claims: it is asked for from here on.
    if (!isPrivate) this.#newest = history ? stamp : new Date();
    const body = node.getChildText('body');
    const mine = nick === this.nick;
    this.#fire('message', { node, nick, body, mine, history, stamp, private: isPrivate });
  }

  /** Whether we are still in is asked when nothing came for a while. */
  #keepAsking(): void {
    const { pingMs = 900_000 } = this.#options;
    this.#wait(pingMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const asking = (this.#asking = new AbortController());
    const { timeoutMs = 30_000 } = this.#options;
    const options = { timeout: timeoutMs, signal: asking.signal };
    const inside = await stillInside(this.#broker, addressOf(this.jid, this.nick), options);
    if (asking.signal.aborted || this.#state !== 'inside') return;
    if (inside) this.#keepAsking();
    else this.#gone('lost', true, NO_DETAILS, null);
  }

  #say(to: string, type: 'groupchat' | 'chat', content: string | Element | readonly Element[]): Ticket {
    this.#refuseOutside();
    return this.#broker.output(said(to, type, content));
  }

  #refuseOutside(): void {
    if (this.#state === 'inside') return;
    throw outside(this.jid);
  }

  #wait(ms: number, then: () => void): void {
    clearTimeout(this.#timer);
    // A room keeps no process alive: the link does.
    this.#timer = setTimeout(then, ms).unref();
  }

  #eventName(event: string): string {
    return `${this.jid} ${event}`;
  }

  #fire<Name extends keyof RoomEvents>(event: Name, payload: RoomEvents[Name]): void {
    this.#publications.get(event)?.fire(payload);
  }
}
