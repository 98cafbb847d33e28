import { randomBytes } from 'node:crypto';
import type { ClientSession } from './client-session.js';

/** Most sessions whose counts are remembered when they are over. */
const REMEMBERED = 1000;

/** Sessions that can be resumed, by their id (XEP-0198 §5). */
export class Resumption {
  readonly #sessions = new Map<string, ClientSession>();
  /** Counts of sessions that are over. */
  readonly #counts = new Map<string, number>();

  idFor(session: ClientSession): string {
    const id = randomBytes(18).toString('base64url');
    this.#sessions.set(id, session);
    return id;
  }

  find(id: string): ClientSession | null {
    return this.#sessions.get(id) ?? null;
  }

  /** The count of a session that is over, if it is remembered. */
  countOf(id: string): number | undefined {
    return this.#counts.get(id);
  }

  ended({ management }: ClientSession): void {
    if (management?.id == null) return;
    this.#sessions.delete(management.id);
    this.#counts.set(management.id, management.handled);
    for (const oldest of this.#counts.keys()) {
      if (this.#counts.size <= REMEMBERED) break;
      this.#counts.delete(oldest);
    }
  }

  /** Forgets the counts, as a server that was restarted does. */
  forget(): void {
    this.#counts.clear();
  }
}
