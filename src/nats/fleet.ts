// A fleet: very many accounts or components, spread over processes that come and go.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Broker } from '../broker/broker.js';
import { BrokerError, printable, usageError } from '../errors.js';
import type { Handler, Subscription, SubscribeOptions } from '../pubsub/pubsub.js';
import { Announcements } from './announcements.js';
import { openLink } from './connection.js';
import { FleetAccounts } from './fleet-accounts.js';
import { FleetMembership, type FleetMembershipOwner } from './fleet-membership.js';
import { readFleetOptions, type FleetConfig, type FleetOptions } from './fleet-options.js';
import { fixShards } from './fleet-setup.js';
import { FleetHolders } from './fleet-holders.js';
import { openBase, type NatsBase } from './base.js';
import { Subjects } from './subjects.js';

/** The event loop may be late by this part of `ttlMs` before fewer links are made: a renewal takes some turns of it. */
const LATE_PART = 12;

/**
 * What a {@link Fleet} tells, by the names that `fleet.subscribe` takes. If nobody is subscribed to it, `fail` is a warning of the
 * process, and so is `lost` with an error.
 */
export interface FleetEvents {
  /** This member has a shard from now on, and connects its accounts. `epoch` rises with each holder of the shard. */
  gained: { shard: number; epoch: number };
  /** It has it no more. `error` is null when the shard was released, else why it was lost: its links were cut at once. */
  lost: { shard: number; error: BrokerError | null };
  /** An account is here: subscribe to what you need of its broker. It is not connecting yet. */
  account: { account: string; shard: number; broker: Broker };
  /** Something went wrong, and the others go on: an account that cannot be connected, a list that failed, NATS that is away. */
  fail: BrokerError;
}

/**
 * One member of a fleet. Each account of the fleet is on one member; members share them by shards, without a leader, and take
 * over what a member had that died or left. It costs NATS a consumer and a record for each shard, and nothing for an account.
 */
export class Fleet implements AsyncDisposable {
  /** What this member is called among the others: host, process and some random digits. */
  readonly id = `${hostname().slice(0, 100)}-${process.pid}-${randomBytes(4).toString('hex')}`;
  readonly #options: FleetConfig;
  readonly #subjects: Subjects;
  readonly #told = new Announcements<FleetEvents>('a Fleet', ['gained', 'lost', 'account', 'fail']);
  readonly #accounts: FleetAccounts;
  #starting: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  #base: NatsBase | null = null;
  #hearing: { unsubscribe(): void } | null = null;
  #membership: FleetMembership | null = null;

  /** @throws BrokerError `USAGE_FLEET` that lists every problem at once. Nothing is dialled. */
  constructor(options: FleetOptions) {
    this.#options = readFleetOptions(options);
    this.#subjects = new Subjects(this.#options.prefix);
    const { shards, maxConnecting, ttlMs, list, broker } = this.#options;
    this.#accounts = new FleetAccounts(
      { shards, maxConnecting, lateMs: ttlMs / LATE_PART, list, options: broker },
      {
        made: (account, shard, broker) => {
          this.#told.tell('account', { account, shard, broker });
        },
        failed: (error) => {
          this.#failed(error);
        },
      },
    );
  }

  /** The shards of this member now. */
  get shards(): readonly number[] {
    return this.#membership?.held ?? [];
  }

  /** How many members there are, as far as this one knows. 0 before it is one. */
  get members(): number {
    return this.#membership?.size ?? 0;
  }

  /** How many accounts are on this member. */
  get size(): number {
    return this.#accounts.size;
  }

  /** The broker of an account that is on this member, or null. */
  get(account: string): Broker | null {
    return this.#accounts.get(account);
  }

  /** The accounts of this member, with their brokers. */
  [Symbol.iterator](): IterableIterator<[account: string, broker: Broker]> {
    return this.#accounts.entries();
  }

  /**
   * Calls `handler` for each event of that name.
   * @throws BrokerError `USAGE_EVENT`, `USAGE_HANDLER`, `USAGE_EVENT_OPTIONS`, `USAGE_SIGNAL`
   */
  subscribe<Name extends keyof FleetEvents>(
    event: Name,
    handler: Handler<FleetEvents[Name]>,
    options?: SubscribeOptions,
  ): Subscription {
    return this.#told.subscribe(event, handler, options);
  }

  /**
   * Becomes a member. Resolves when it is one; shards come some seconds later, with `gained`.
   * @throws BrokerError `NATS_SETUP` when the fleet has another number of shards, and what `prepareNats` throws;
   * `CONNECT_ABORTED` when it was closed meanwhile
   */
  start(): Promise<void> {
    if (this.#closing !== null)
      return Promise.reject(usageError('USAGE_FLEET', 'start(): the fleet was closed, make another one'));
    this.#starting ??= this.#started().catch((error: unknown) => {
      this.#starting = null;
      throw error;
    });
    return this.#starting;
  }

  /** Asks for the list of accounts again: new ones are connected, those that are gone are closed. Resolves when it was read; never rejects. */
  refresh(): Promise<void> {
    return this.#accounts.refresh();
  }

  /** Closes all accounts in order, releases everything at once for the others, and is no member any more. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#closed();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #started(): Promise<void> {
    const { connection, name, shards, ttlMs, replicas, setup } = this.#options;
    const link = await openLink(connection, `xmpp-broker fleet ${printable(name, 100)}`);
    try {
      const base = await openBase(link, this.#subjects, { replicas, setup });
      await fixShards(link, base.kv, name, shards);
      if (this.#closing !== null)
        throw new BrokerError('CONNECT_ABORTED', 'the fleet was closed while it started', { layer: 'usage' });
      const failed = (error: BrokerError): void => {
        this.#failed(error);
      };
      const { id } = this;
      const holders = new FleetHolders({ ...base, fleet: name, ttlMs, id, failed });
      const subject = this.#subjects.fleet(name);
      const tell = (text: string): void => {
        if (!link.isClosed) link.connection.publish(subject, text);
      };
      const membership = new FleetMembership({ id, shards, source: holders, tell }, this.#hears());
      this.#hearing = link.connection.subscribe(subject, {
        callback: (error, message) => {
          if (error !== null) failed(link.error(error, 'to hear the other members'));
          else membership.hear(message.string());
        },
      });
      link.watch({
        up: () => {
          holders.up();
        },
        down: () => {
          holders.down();
        },
        refused: failed,
        ended: () => {
          holders.down();
        },
      });
      this.#base = base;
      this.#membership = membership;
      membership.start();
    } catch (error) {
      await link.release();
      throw link.error(error, `to start a member of the fleet "${printable(name, 100)}"`);
    }
  }

  #hears(): FleetMembershipOwner {
    return {
      gained: (shard, held) => {
        this.#told.tell('gained', { shard, epoch: held.epoch });
        this.#accounts.gained(shard, held);
      },
      releasing: (shard) => this.#accounts.released(shard),
      lost: (shard, error) => {
        this.#accounts.lost(shard);
        if (error === null) this.#told.tell('lost', { shard, error });
        else this.#told.tellFault('lost', { shard, error }, `a fleet lost a shard: ${error.message}`);
      },
      failed: (error) => {
        this.#failed(error);
      },
    };
  }

  #failed(error: BrokerError): void {
    this.#told.tellFault('fail', error, `a fleet: ${error.message}`);
  }

  async #closed(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    this.#accounts.close();
    await this.#membership?.leave();
    // The connection may be the program's, and live on.
    if (this.#base?.link.isClosed === false) this.#hearing?.unsubscribe();
    this.#base?.reports.close();
    await this.#base?.link.release();
  }
}
