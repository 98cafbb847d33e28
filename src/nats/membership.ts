// The place of a worker in its group: it finds what stands for the group in JetStream, and pulls as much as can be handled.
import type { ConsumerInfo } from '@nats-io/jetstream';
import type { BrokerError } from '../errors.js';
import type { NatsLink } from './connection.js';
import { ACK_WAIT_MS, consumersIn, groupIn, groupPrefix, isOrdered, queuePrefix } from './groups.js';
import type { Hands } from './hands.js';
import { Puller, type PullerOwner } from './puller.js';
import type { Subjects } from './subjects.js';
import { noGroup, notOrdered } from './work-errors.js';

/** How often what is in hand is kept there, in milliseconds. */
const TICK_MS = Math.floor(ACK_WAIT_MS / 3);

/** How often the group is looked at: while it is not there, and when it is. In milliseconds. */
const LOOK_MS = { seeking: 1_000, member: 60_000 };

/** How often an outage that goes on is told, in milliseconds. */
const TOLD_EVERY_MS = 60_000;

/** What a membership works with. */
export interface MembershipParts {
  readonly link: NatsLink;
  readonly subjects: Subjects;
  readonly queue: string;
  readonly group: string;
  readonly ordered: boolean;
  readonly hands: Hands;
}

/** Whose it is. */
export interface MembershipOwner {
  /** The group was found. */
  joined(): void;
  failing(error: BrokerError): void;
  /** It cannot go on. */
  ended(error: BrokerError): void;
}

/** A worker's place in its group. */
export class Membership {
  readonly #parts: MembershipParts;
  readonly #owner: MembershipOwner;
  readonly #pullers = new Map<string, Puller>();
  #tick: NodeJS.Timeout | null = null;
  #lookTimer: NodeJS.Timeout | null = null;
  #looking = false;
  #isDown = false;
  #isOver = false;
  /** Code of the trouble that was told last, and when. */
  #told: { readonly code: string; readonly at: number } | null = null;

  constructor(parts: MembershipParts, owner: MembershipOwner) {
    this.#parts = parts;
    this.#owner = owner;
  }

  begin(): void {
    const { link, hands } = this.#parts;
    link.watch({
      down: () => {
        this.#isDown = true;
      },
      up: () => {
        this.#isDown = false;
        for (const puller of this.#pullers.values()) puller.forget();
        this.#fill();
        this.#lookIn(0);
      },
      refused: (error) => this.#failing(error),
      ended: () => {
        if (!this.#isOver) this.#owner.ended(link.closedError(`to work for "${this.#parts.group}"`));
      },
    });
    this.#tick = setInterval(() => {
      // The client would keep what is said now for as long as it has no connection.
      if (this.#isDown) return;
      hands.keep();
      for (const puller of this.#pullers.values()) puller.look();
      this.#fill();
    }, TICK_MS);
    hands.onFree = () => this.#fill();
    this.#lookIn(0);
  }

  /** Pulls nothing more. What is in hand is kept there, until {@link over}. */
  end(): void {
    this.#isOver = true;
    this.#parts.hands.onFree = null;
    if (this.#lookTimer !== null) clearTimeout(this.#lookTimer);
    for (const puller of this.#pullers.values()) puller.close();
    this.#pullers.clear();
  }

  /** Nothing is in hand any more. */
  over(): void {
    if (this.#tick !== null) clearInterval(this.#tick);
  }

  #lookIn(ms: number): void {
    if (this.#isOver) return;
    if (this.#lookTimer !== null) clearTimeout(this.#lookTimer);
    this.#lookTimer = setTimeout(() => void this.#look(), ms);
  }

  /** Finds the consumers of the group: they may come and go. */
  async #look(): Promise<void> {
    if (this.#looking || this.#isOver) return;
    this.#looking = true;
    try {
      this.#found(await this.#consumers());
    } catch (cause) {
      this.#failing(this.#parts.link.error(cause, `to find the group "${this.#parts.group}"`));
    }
    this.#looking = false;
    this.#lookIn(this.#pullers.size === 0 ? LOOK_MS.seeking : LOOK_MS.member);
  }

  async #consumers(): Promise<Map<string, ConsumerInfo>> {
    const { link, subjects, queue } = this.#parts;
    const manager = await link.client.jetstream.jetstreamManager(link.connection, { checkAPI: false });
    return consumersIn(manager, subjects.inStream, queuePrefix(queue));
  }

  #found(ofQueue: ReadonlyMap<string, ConsumerInfo>): void {
    if (this.#isOver) return;
    const { queue, group, ordered } = this.#parts;
    const prefix = groupPrefix(queue, group);
    const ours = [...ofQueue.values()].filter(({ name }) => name.startsWith(prefix));
    for (const [name, puller] of this.#pullers) {
      if (ours.some((info) => info.name === name)) continue;
      puller.close();
      this.#pullers.delete(name);
    }
    if (ours.length === 0) {
      const known = [...ofQueue.keys()].map((name) => groupIn(name, queue)).filter((name) => name !== null);
      this.#failing(noGroup(queue, group, [...new Set(known)]));
      return;
    }
    if (ordered && !ours.every(isOrdered)) {
      this.#owner.ended(notOrdered(group));
      return;
    }
    this.#told = null;
    for (const info of ours) if (!this.#pullers.has(info.name)) this.#pullers.set(info.name, this.#puller(info));
    this.#fill();
    this.#owner.joined();
  }

  #puller(info: ConsumerInfo): Puller {
    const { link, subjects, hands } = this.#parts;
    const inbox = link.newInbox();
    const owner: PullerOwner = {
      took: (delivery) => {
        if (this.#isOver) delivery.again(0);
        else hands.take(delivery);
      },
      idle: () => this.#fill(),
      missing: () => this.#lookIn(LOOK_MS.seeking),
      refused: (cause) => this.#failing(link.error(cause, `to work for "${this.#parts.group}"`)),
    };
    const place = { inbox, stream: subjects.inStream, consumer: info.name, isOrdered: isOrdered(info) };
    return new Puller(link.connection, place, owner);
  }

  /**
   * Each consumer has a request of ours waiting while anything can be begun; of what can be begun beyond that, each gets its
   * share.
   */
  #fill(): void {
    if (this.#isOver || this.#isDown) return;
    const { hands } = this.#parts;
    if (hands.free === 0) return;
    const pullers = [...this.#pullers.values()];
    for (const puller of pullers) if (puller.asked === 0) puller.pull(1);
    let more = hands.free - pullers.reduce((sum, { asked }) => sum + asked, 0);
    // Not for each stanza a request of its own.
    if (more <= 0 || 2 * more < hands.free) return;
    const shared = pullers.filter(({ isOrdered }) => !isOrdered);
    const share = Math.ceil(more / shared.length);
    for (const puller of shared) {
      const batch = Math.min(share, more);
      if (batch > 0) puller.pull(batch);
      more -= batch;
    }
  }

  /** Tells of trouble, the same not again for a minute. */
  #failing(error: BrokerError): void {
    if (this.#isOver) return;
    const now = performance.now();
    if (this.#told?.code === error.code && now - this.#told.at < TOLD_EVERY_MS) return;
    this.#told = { code: error.code, at: now };
    this.#owner.failing(error);
  }
}
