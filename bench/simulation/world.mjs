/** A fleet on a clock that is not the machine's: members, their signs of life, leases, and accounts that connect. */
import { crc32 } from 'node:zlib';
import { beatMs, decide, MISSED_BEATS } from './assignment.mjs';

/** What is assumed, in milliseconds where it is a time. */
export const ASSUMED = {
  /** The clock goes on by this. */
  tick: 10,
  /** A lease counts as free when its record was the same for that long. */
  ttl: 3_000,
  /** What a message needs from one member to another: a number between these, for each pair. */
  latency: [1, 50],
  /** A change of a record, there and back. */
  change: 10,
  /** Members look at what they know this often. */
  look: 250,
  /** From the first packet to a session: median. Two thirds of all are within a factor of 1.6. */
  handshake: 250,
  /** Closing the links of a shard before it is released. */
  closing: 500,
  /** Links that a member makes at a time. */
  maxConnecting: 50,
};

/** A number from 0 to 1 that is the same in every run. */
function generator(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

class Member {
  constructor(world, number) {
    this.world = world;
    this.number = number;
    this.id = `member-${String(number).padStart(5, '0')}`;
    this.held = new Set();
    this.claimed = new Map(); // shard → since when its record is watched
    this.releasing = null;
    this.waiting = []; // shards of which accounts are to be connected: [shard, how many]
    this.connecting = 0;
    this.isAlive = true;
    this.beats = []; // the newest last
    this.beat();
    // Who has just come listens first: everybody is heard within one interval.
    this.world.after(beatMs(world.members.length + 1) + world.random() * ASSUMED.look, () => this.look());
  }

  /** Tells all others what is so. */
  beat(isLast = false) {
    if (!this.isAlive) return;
    this.beats.push({ at: this.world.now, held: new Set(this.held), claimed: new Set(this.claimed.keys()), isLast });
    if (this.beats.length > 12) this.beats.shift();
    if (this.timer !== undefined) this.timer.isOver = true;
    this.timer = this.world.after(beatMs(this.world.members.length), () => this.beat());
  }

  /** What it knows of another one, or null when that one is gone. */
  sees(other) {
    const { now } = this.world;
    const latency = this.world.latency(this.number, other.number);
    for (let i = other.beats.length - 1; i >= 0; i -= 1) {
      const beat = other.beats[i];
      if (beat.at + latency > now) continue;
      const isGone = beat.isLast || now - beat.at - latency > MISSED_BEATS * beatMs(this.world.members.length);
      return isGone ? null : beat;
    }
    return null;
  }

  look() {
    if (!this.isAlive) return;
    this.world.after(ASSUMED.look, () => this.look());
    if (this.world.isQuiet || this.isLeaving) return;
    const members = [];
    for (const other of this.world.members) {
      const seen = other === this ? this : this.sees(other);
      if (seen !== null) members.push({ id: other.id, held: seen.held, claimed: seen.claimed });
    }
    const own = members.find(({ id }) => id === this.id);
    own.claimed = new Set(this.claimed.keys());
    const { take, release } = decide({ shards: this.world.shards, members, me: this.id });
    let isNews = false;
    const wanted = new Set(take);
    for (const shard of this.claimed.keys()) {
      if (wanted.has(shard)) continue;
      this.claimed.delete(shard);
      isNews = true;
    }
    for (const shard of wanted) {
      if (this.claimed.has(shard)) continue;
      this.claim(shard);
      isNews = true;
    }
    if (release !== null && this.releasing === null) this.release(release);
    if (isNews) this.beat();
  }

  claim(shard) {
    const since = this.world.now;
    this.claimed.set(shard, since);
    const attempt = () => {
      if (!this.isAlive || this.claimed.get(shard) !== since || this.isLeaving) return;
      const lease = this.world.leases[shard];
      if (lease.holder !== null && (lease.holder.isAlive || this.world.now - since < ASSUMED.ttl)) {
        this.world.after(100, attempt);
        return;
      }
      lease.holder = this;
      this.claimed.delete(shard);
      this.held.add(shard);
      this.world.moved(shard);
      this.waiting.push([shard, this.world.accounts[shard]]);
      this.connect();
      this.beat();
    };
    this.world.after(ASSUMED.change, attempt);
  }

  release(shard, then = () => undefined) {
    this.releasing = shard;
    this.world.dropped(shard);
    this.world.after(ASSUMED.closing, () => {
      if (!this.isAlive) return;
      this.releasing = null;
      this.held.delete(shard);
      this.world.leases[shard].holder = null;
      this.world.touch();
      then();
      this.beat(this.isLeaving);
    });
  }

  /** As many links at a time as are allowed. */
  connect() {
    while (this.connecting < ASSUMED.maxConnecting && this.waiting.length > 0) {
      const first = this.waiting[0];
      if (first[1] === 0 || !this.held.has(first[0]) || this.releasing === first[0]) {
        this.waiting.shift();
        continue;
      }
      first[1] -= 1;
      this.connecting += 1;
      const [shard] = first;
      this.world.connects[Math.floor(this.world.now / 1_000)] =
        (this.world.connects[Math.floor(this.world.now / 1_000)] ?? 0) + 1;
      this.world.after(this.world.handshake(), () => {
        this.connecting -= 1;
        if (!this.isAlive) return;
        if (this.held.has(shard) && this.releasing !== shard) this.world.serve(shard);
        this.world.touch();
        this.connect();
      });
    }
  }

  /** As a SIGKILL does. */
  die() {
    this.isAlive = false;
    for (const shard of this.held) this.world.dropped(shard);
    this.world.touch();
  }

  /** As close() does: everything is released, all at once. */
  leave() {
    this.isLeaving = true;
    this.claimed.clear();
    for (const shard of [...this.held]) this.release(shard);
    this.world.after(ASSUMED.closing + 10, () => {
      this.isAlive = false;
    });
    this.world.touch();
  }
}

export class World {
  now = 0;
  members = [];
  /** Links that were begun, for each second. */
  connects = [];
  shardMoves = 0;
  accountMoves = 0;
  #due = new Map();
  #changedAt = 0;

  constructor({ accounts, shards, seed = 1 }) {
    this.shards = shards;
    this.random = generator(seed);
    this.accounts = new Array(shards).fill(0);
    for (let i = 0; i < accounts; i += 1) this.accounts[crc32(`user${i}@example.org`) % shards] += 1;
    this.total = accounts;
    this.served = new Array(shards).fill(0);
    this.leases = Array.from({ length: shards }, () => ({ holder: null }));
  }

  join(count = 1) {
    for (let i = 0; i < count; i += 1) this.members.push(new Member(this, (this.numbers = (this.numbers ?? 0) + 1)));
    this.touch();
  }

  after(ms, what) {
    const tick = Math.floor(this.now / ASSUMED.tick) + Math.max(1, Math.ceil(ms / ASSUMED.tick));
    const timer = { what, isOver: false };
    const due = this.#due.get(tick);
    if (due === undefined) this.#due.set(tick, [timer]);
    else due.push(timer);
    return timer;
  }

  step() {
    this.now += ASSUMED.tick;
    const tick = this.now / ASSUMED.tick;
    const due = this.#due.get(tick) ?? [];
    this.#due.delete(tick);
    for (const { what, isOver } of due) if (!isOver) what();
  }

  latency(one, other) {
    const [least, most] = ASSUMED.latency;
    return least + (crc32(`${one} ${other}`) % (most - least));
  }

  handshake() {
    // Lognormal, by Box and Muller.
    const normal = Math.sqrt(-2 * Math.log(1 - this.random())) * Math.cos(2 * Math.PI * this.random());
    return ASSUMED.handshake * Math.exp(0.47 * normal);
  }

  touch() {
    this.#changedAt = this.now;
  }

  /** Nothing has happened for so long that nobody would decide anything. */
  get isQuiet() {
    return this.now - this.#changedAt > (MISSED_BEATS + 1) * beatMs(this.members.length) + ASSUMED.ttl;
  }

  moved(shard) {
    this.shardMoves += 1;
    this.accountMoves += this.accounts[shard];
    this.touch();
  }

  serve(shard) {
    this.served[shard] = Math.min(this.accounts[shard], this.served[shard] + 1);
  }

  dropped(shard) {
    this.served[shard] = 0;
    this.touch();
  }

  /** Accounts that have a link. */
  get linked() {
    return this.served.reduce((sum, count) => sum + count, 0);
  }

  /** Shards of the member that has the most, less those of the one that has the least. */
  get spread() {
    const loads = this.members.filter(({ isAlive }) => isAlive).map(({ held }) => held.size);
    return Math.max(...loads) - Math.min(...loads);
  }

  /** Forgets those who are dead long since. */
  bury() {
    this.members = this.members.filter(({ isAlive }) => isAlive);
  }
}
