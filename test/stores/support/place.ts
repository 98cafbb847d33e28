import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe } from 'vitest';
import type { Change, OpenStore, QueueStore, StoreOwner } from 'xmpp-broker';
import { add, type Ops } from '../../../src/stores/ops.js';
import { owner as anyOwner } from '../../../src/testing/queue-store-subject.js';

/** Which SQLite there is for a store on this Node, or null. */
export const DRIVER = isBuiltin('node:sqlite') ? 'node:sqlite' : found('better-sqlite3');

function found<T extends string>(name: T): T | null {
  try {
    createRequire(import.meta.url).resolve(name);
    return name;
  } catch {
    return null;
  }
}

/** Tests that need a driver. `npm test` runs them on a Node that has one. */
export function describeStore(name: string, tests: () => void): void {
  if (DRIVER === null) describe.skip(`${name} (this Node has no SQLite: npm test brings one that has)`, tests);
  else describe(`${name} (${DRIVER})`, tests);
}

const folders: string[] = [];
const open: OpenStore[] = [];

afterEach(async () => {
  for (const queue of open.splice(0)) await queue.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder that goes with its test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'xmpp-broker-store-'));
  folders.push(path);
  return path;
}

export const file = (name = 'queue.db'): string => join(folder(), name);

/** Where many files are made, one after the other: in memory if there is such a place, for nothing is lost with them. */
export class Scratch {
  readonly #folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'xmpp-broker-store-'));

  constructor() {
    folders.push(this.#folder);
  }

  /** The path of a file that is not there, and nothing beside it. */
  fresh(): string {
    for (const name of readdirSync(this.#folder)) rmSync(join(this.#folder, name));
    return join(this.#folder, 'queue.db');
  }
}

/** Who opens a queue. */
export const owner = (queue = 'echo.example.org', more: Partial<StoreOwner> = {}): StoreOwner =>
  anyOwner({ queue, ...more });

/** Opens a queue, which is closed behind the test. */
export async function opened(store: QueueStore, queue?: string): Promise<OpenStore> {
  const held = await store.open(owner(queue), new AbortController().signal);
  open.push(held);
  return held;
}

export const xmlOf = (key: string, body = `this is ${key}`): string =>
  `<message to='a@example.org' id='${key}'><body>${body}</body></message>`;

/** That a stanza was accepted. */
export const put = (key: string, body?: string) =>
  ({ kind: 'put', key, xml: xmlOf(key, body), at: 1_700_000_000_000, handed: null }) as const;

/** What the thread of a file is asked to write. */
export function opsOf(queue: string, changes: readonly Change[]): Ops {
  const ops: Ops = [];
  add(ops, queue, 'jabber:client', changes);
  return ops;
}
