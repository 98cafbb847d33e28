// The way to the program: its token, orders, and the stream of what happens.
import type { Message, Denial } from '../messages.js';

const KEPT = 'xmpp-broker-console';

/** The token of this tab: it comes behind the `#` of the address, and is taken out of it. */
export function takeToken(): string {
  const given = location.hash.slice(1);
  if (given !== '') {
    sessionStorage.setItem(KEPT, given);
    history.replaceState(null, '', '/');
    return given;
  }
  return sessionStorage.getItem(KEPT) ?? '';
}

/** What was refused, and why. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly refusal: Denial,
  ) {
    super(refusal.error);
  }
}

/** The program with its token. */
export class Program {
  readonly #headers: Readonly<Record<string, string>>;

  constructor(token: string) {
    this.#headers = { Authorization: `Bearer ${token}` };
  }

  /** Has something done. It rejects with {@link Refused}, or with what fetch says when the program is gone. */
  async order<Report>(name: string, body: object): Promise<Report> {
    const headers = { ...this.#headers, 'Content-Type': 'application/json' };
    const response = await fetch(`/api/${name}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!response.ok) throw await refusedBy(response);
    return (await response.json()) as Report;
  }

  /** Hears what happens until the stream ends, or is aborted. It rejects as {@link order}. */
  async hear(query: URLSearchParams, signal: AbortSignal, hear: (message: Message) => void): Promise<void> {
    const response = await fetch(`/api/stream?${query.toString()}`, { headers: this.#headers, signal });
    if (!response.ok || response.body === null) throw await refusedBy(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (rest + value).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) hear(JSON.parse(event.slice('data: '.length)) as Message);
    }
  }
}

async function refusedBy(response: Response): Promise<Refused> {
  const { status } = response;
  try {
    return new Refused(status, (await response.json()) as Denial);
  } catch {
    return new Refused(status, { code: 'failed', error: `the program answered ${String(status)}`, offset: null });
  }
}

/** What went wrong, for people. */
export function reasonOf(error: unknown): string {
  if (error instanceof Refused) return error.message;
  return 'the program does not answer';
}
