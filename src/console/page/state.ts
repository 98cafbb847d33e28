// What the page knows. Everything in it is bounded, because it may be open for days.
import type {
  BrokerLine,
  Filters,
  Hello,
  Message,
  Point,
  Queue,
  Requests,
  Row,
  RowKind,
  Store,
  Timeline,
  Traffic,
} from '../messages.js';

/** Rows that are kept, and points: one a second. */
const MOST_ROWS = 300;
const MOST_POINTS = 300;

/** A row of the traffic, with a key of its own in this page. */
export interface KeptRow extends Row {
  readonly key: string;
}

/** How the page and the program stand. */
export type Connection = 'connecting' | 'open' | 'lost' | 'refused';

export interface PageState {
  readonly connection: Connection;
  /** Why it is lost or refused. */
  readonly reason: string;
  /** Which stream it is: rises with each. */
  readonly stream: number;
  readonly hello: Hello | null;
  readonly brokers: readonly BrokerLine[];
  /** How much the clock of the program is ahead of ours, in milliseconds. */
  readonly ahead: number;
  readonly points: readonly Point[];
  readonly attempts: Timeline['attempts'];
  /** Newest first. */
  readonly rows: readonly KeptRow[];
  /** What arrived while the list stood still, newest first. */
  readonly waiting: readonly KeptRow[];
  readonly paused: boolean;
  /** The last message with traffic. */
  readonly traffic: Traffic | null;
  readonly requests: Requests;
  readonly queue: Queue;
  readonly filters: Filters;
  readonly store: Store;
}

export const NOTHING: PageState = {
  connection: 'connecting',
  reason: '',
  stream: 0,
  hello: null,
  brokers: [],
  ahead: 0,
  points: [],
  attempts: [],
  rows: [],
  waiting: [],
  paused: false,
  traffic: null,
  requests: { kind: 'requests', total: 0, list: [] },
  queue: { kind: 'queue', total: 0, bytes: 0, list: [] },
  filters: { kind: 'filters', total: 0, list: [] },
  store: { kind: 'store', told: [], dead: [], left: 0 },
};

/** What changes the state. */
export type Action =
  | { readonly do: 'hear'; readonly message: Message }
  | { readonly do: 'connection'; readonly connection: Connection; readonly reason: string }
  | { readonly do: 'pause'; readonly paused: boolean }
  | { readonly do: 'clear' };

export function next(state: PageState, action: Action): PageState {
  switch (action.do) {
    case 'hear':
      return heard(state, action.message);
    case 'connection':
      return { ...state, connection: action.connection, reason: action.reason };
    case 'pause':
      return action.paused
        ? { ...state, paused: true }
        : { ...state, paused: false, rows: [...state.waiting, ...state.rows].slice(0, MOST_ROWS), waiting: [] };
    case 'clear':
      return { ...state, rows: [], waiting: [], traffic: null };
  }
}

function heard(state: PageState, message: Message): PageState {
  switch (message.kind) {
    case 'hello':
      return greeted(state, message);
    case 'brokers':
      return { ...state, brokers: message.list, ahead: message.at - Date.now() };
    case 'points':
      return { ...state, points: [...state.points, ...message.list].slice(-MOST_POINTS) };
    case 'timeline':
      return { ...state, attempts: message.attempts };
    case 'traffic':
      return withRows(state, message);
    case 'requests':
      return { ...state, requests: message };
    case 'queue':
      return { ...state, queue: message };
    case 'filters':
      return { ...state, filters: message };
    case 'store':
      return { ...state, store: message };
  }
}

/** A stream has begun. What was known of the same broker stays; its points come anew. */
function greeted(state: PageState, hello: Hello): PageState {
  const stream = state.stream + 1;
  const isSame = state.hello?.broker === hello.broker;
  const before = isSame ? state : { ...NOTHING, brokers: state.brokers, ahead: state.ahead, paused: state.paused };
  return { ...before, connection: 'open', reason: '', stream, hello, points: [], traffic: null };
}

function withRows(state: PageState, traffic: Traffic): PageState {
  const fresh = traffic.rows.map((row) => ({ ...row, key: `${String(state.stream)}-${String(row.number)}` })).reverse();
  if (state.paused) return { ...state, traffic, waiting: [...fresh, ...state.waiting].slice(0, MOST_ROWS) };
  return { ...state, traffic, rows: [...fresh, ...state.rows].slice(0, MOST_ROWS) };
}

/** Kinds of rows, with what they are called. `detail` is left out until somebody asks for it. */
export const KINDS: readonly (readonly [kind: RowKind, name: string])[] = [
  ['in', 'In'],
  ['out', 'Out'],
  ['answer', 'Answers'],
  ['held', 'Held'],
  ['event', 'Events'],
  ['fault', 'Faults'],
  ['detail', 'Details'],
];
