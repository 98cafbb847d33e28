// What the server of the console and its page say to each other, as JSON. Types only: the page is bundled by itself.

/** What the page is told once, when it opens a stream. */
export interface Hello {
  readonly kind: 'hello';
  readonly version: string;
  readonly readOnly: boolean;
  /** Name of the broker that the stream is about. */
  readonly broker: string;
  /** Content namespace of its stanzas. */
  readonly xmlns: string;
  /** Facts for people: the name of each, and what it is. */
  readonly facts: readonly (readonly [name: string, value: string])[];
}

/** How one broker stands. */
export interface BrokerLine {
  readonly name: string;
  readonly state: string;
  readonly jid: string | null;
  readonly held: number;
  readonly pending: number;
  readonly unacknowledged: number;
  readonly reconnects: number;
  /** Milliseconds since 1970, or null. */
  readonly lastReadyAt: number | null;
}

/** How all brokers stand, once a second. */
export interface Brokers {
  readonly kind: 'brokers';
  /** The time at the server, in milliseconds since 1970. */
  readonly at: number;
  readonly list: readonly BrokerLine[];
}

/** What one broker had counted at a time: see `broker.stats()`. */
export interface Point {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly stanzasIn: number;
  readonly stanzasOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly answers: number;
  readonly answerMs: number;
}

/** Points of the broker that the stream is about: first those of the last minutes, then one a second. */
export interface Points {
  readonly kind: 'points';
  readonly list: readonly Point[];
}

/** One step on the way to a ready link, or of its end. */
export interface Step {
  readonly at: number;
  readonly event: string;
  readonly text: string;
  readonly fault: boolean;
}

/** One attempt to connect, and what became of it. */
export interface AttemptLine {
  readonly number: number;
  readonly steps: readonly Step[];
  /** Steps that are not kept. */
  readonly left: number;
}

/** The last attempts, oldest first: again whenever something happened. */
export interface Timeline {
  readonly kind: 'timeline';
  readonly attempts: readonly AttemptLine[];
}

/** Where a row of the traffic comes from. */
export type RowKind = 'in' | 'out' | 'held' | 'answer' | 'event' | 'fault' | 'detail';

/** Something that happened. */
export interface Row {
  /** Rises by one, in this stream. */
  readonly number: number;
  readonly at: number;
  readonly what: RowKind;
  /** The status event, or the name of the stanza with its type. */
  readonly title: string;
  /** One line. */
  readonly text: string;
  readonly from: string | null;
  readonly to: string | null;
  /** The stanza; null where there is none, and where it is too long to be shown. */
  readonly xml: string | null;
}

/** What happened since the last message of this kind. */
export interface Traffic {
  readonly kind: 'traffic';
  readonly rows: readonly Row[];
  /** How many there were that fit the filter, and how many of them are left out. */
  readonly seen: number;
  readonly left: number;
  /** The expression cost too much too often, and is not evaluated any more. */
  readonly aside: boolean;
}

export interface RequestLine {
  readonly id: string;
  readonly to: string | null;
  readonly event: string | null;
  readonly state: string;
  /** Milliseconds since 1970, rounded. */
  readonly since: number;
}

/** The oldest requests that wait for an answer. */
export interface Requests {
  readonly kind: 'requests';
  readonly total: number;
  readonly list: readonly RequestLine[];
}

export interface HeldLine {
  readonly id: number;
  readonly title: string;
  readonly to: string | null;
  readonly bytes: number;
  /** Milliseconds since 1970, rounded. */
  readonly since: number;
  readonly attempts: number;
  readonly possibleDuplicate: boolean;
  readonly xml: string | null;
}

/** The oldest stanzas that are held. */
export interface Queue {
  readonly kind: 'queue';
  readonly total: number;
  readonly bytes: number;
  readonly list: readonly HeldLine[];
}

export interface FilterLine {
  readonly event: string;
  readonly expression: string;
  readonly state: string;
  readonly evaluated: number;
  readonly matched: number;
  readonly overruns: number;
  readonly milliseconds: number;
  readonly subscribers: number;
}

/** The filters in the order in which they were added. */
export interface Filters {
  readonly kind: 'filters';
  readonly total: number;
  readonly list: readonly FilterLine[];
}

export interface DeadLine {
  readonly at: number;
  readonly key: string;
  readonly code: string;
  readonly text: string;
  readonly xml: string | null;
}

/** What is known of the store of the queue, and what was given up. */
export interface Store {
  readonly kind: 'store';
  /** What was last told of it, newest first; empty where there is none. */
  readonly told: readonly Step[];
  readonly dead: readonly DeadLine[];
  /** Dead letters that are not kept. */
  readonly left: number;
}

/** What the stream brings. */
export type Message = Hello | Brokers | Points | Timeline | Traffic | Requests | Queue | Filters | Store;

/** What was wrong, for people. */
export interface Denial {
  readonly code: string;
  readonly error: string;
  /** Place in the text that was given, in UTF-16 code units. */
  readonly offset: number | null;
}

/** Asks for `POST /api/send`. */
export interface SendOrder {
  readonly broker: string;
  readonly xml: string;
}

export interface SendReport {
  /** What became of it so far: `queued`, `sent`, or the state of a request. */
  readonly state: string;
  /** The answer of a request, if it was one. */
  readonly answer: string | null;
}

/** Asks for `POST /api/queue`. */
export interface QueueOrder {
  readonly broker: string;
  readonly action: 'send' | 'drop';
  readonly ids: readonly number[];
}

export interface QueueReport {
  readonly done: number;
}

/** Asks for `POST /api/try`. */
export interface TryOrder {
  readonly broker: string;
  readonly xpath: string;
  readonly namespaces: Readonly<Record<string, string>>;
  readonly stanzas: readonly string[];
}

export interface TryReport {
  /** One for each stanza: whether it matches, what is found, and why not. */
  readonly results: readonly {
    readonly matches: boolean;
    readonly nodes: readonly string[];
    readonly why: string | null;
  }[];
  readonly warnings: readonly string[];
  /** How the index would find it. */
  readonly reason: string;
  readonly keys: readonly string[] | null;
}

/** Asks for `POST /api/explain`. */
export interface ExplainOrder {
  readonly broker: string;
  /** Place among the filters. */
  readonly index: number;
  /** The event at that place, as the list says it. */
  readonly event: string;
}

export interface ExplainReport {
  readonly filters: readonly {
    readonly expression: string;
    readonly reason: string;
    readonly keys: readonly string[] | null;
    readonly warnings: readonly string[];
    readonly stanzas: number;
  }[];
}
