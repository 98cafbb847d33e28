// What a program that is killed is told.

/** When a program ends itself. The others are killed from outside. */
export const STEPS = [
  'before open',
  'while opening',
  'after open',
  'before commit',
  'in commit',
  'after commit',
  'after write',
  'after ack',
] as const;
export type Step = (typeof STEPS)[number];

export interface Orders {
  /** The queue. */
  readonly file: string;
  /** What it says is written here. */
  readonly book: string;
  /** Whether it is a client with stream management, or a component without. */
  readonly managed: boolean;
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  /** Whom the messages are for. */
  readonly to: string;
  /** Number of the first message, and how many at most. */
  readonly from: number;
  readonly count: number;
  /** Most messages in one turn. */
  readonly burst: number;
  /** When it ends itself: at which step, for the how manieth time, how many turns later. */
  readonly death: { readonly step: Step; readonly at: number; readonly turns: number } | null;
  /** The last life: everything is sent, then one message more, then it ends by itself. */
  readonly last: boolean;
}
