// Reading what `record` wrote.
import { readFile } from 'node:fs/promises';
import { usageError } from '../errors.js';
import { JID } from '../jid/jid.js';
import { isStanzaKind } from '../stanza/kinds.js';
import { isQuestion, type RecordedSession, type RecordedStep } from '../testing/replay.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { parse } from '../xml/tokenizer/parse.js';

/** A recording, as far as it is played again: what is behind the sign-ins. */
export interface Recording {
  /** Name of the dialect. */
  readonly dialect: string;
  readonly domain: string;
  readonly username: string | undefined;
  /** Whether the server managed streams (XEP-0198). */
  readonly managed: boolean;
  readonly sessions: readonly RecordedSession[];
}

type Line = Readonly<Record<string, unknown>>;

/** @throws BrokerError `USAGE_ARGUMENT` that names the line when the file is none, or cannot be read */
export async function readRecording(path: string): Promise<Recording> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code = 'it failed' } = error as NodeJS.ErrnoException;
    throw usageError('USAGE_ARGUMENT', `${path} cannot be read (${code})`);
  }
  const lines = text.split('\n');
  const reader = new RecordingReader();
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    try {
      reader.take(JSON.parse(line) as unknown, index);
    } catch (error) {
      // An end that was cut off is no mistake: whatever ended the process.
      if (index > 0 && index === lines.length - 1) break;
      const why = error instanceof Error ? error.message : String(error);
      throw usageError('USAGE_ARGUMENT', `${path}, line ${String(index + 1)}: ${why}; record makes such files`);
    }
  }
  return reader.recording(path);
}

class RecordingReader {
  #head: { dialect: string; domain: string; username: string | undefined } | null = null;
  readonly #sessions: { jid: JID; at: number; resumed: boolean; lost: boolean; steps: RecordedStep[] }[] = [];
  /** Whether we are behind a sign-in. */
  #ready = false;
  #managed = false;
  /** Ids of our own questions for a sign of life. */
  readonly #questions = new Set<string | null>();

  take(value: unknown, index: number): void {
    if (typeof value !== 'object' || value === null) throw new Error('it is no JSON object');
    const line = value as Line;
    if (index === 0) this.#first(line);
    else if (typeof line['ready'] === 'string') this.#begin(JID.parse(line['ready']), line);
    else if (line['closed'] !== undefined) this.#end(line['closed'] === 'lost');
    else this.#step(line);
  }

  recording(path: string): Recording {
    if (this.#head === null) throw usageError('USAGE_ARGUMENT', `${path} is empty; record makes such files`);
    if (this.#sessions.length === 0) {
      throw usageError('USAGE_ARGUMENT', `${path} has no sign-in that succeeded: there is nothing to replay`);
    }
    return { ...this.#head, managed: this.#managed, sessions: this.#sessions };
  }

  #first({ version, dialect, domain, username }: Line): void {
    if (version !== 1) throw new Error('it is no recording of version 1');
    if (typeof dialect !== 'string' || typeof domain !== 'string') throw new Error('dialect or domain is missing');
    this.#head = {
      dialect,
      domain: new JID(null, domain).domain,
      username: typeof username === 'string' ? username : undefined,
    };
  }

  #begin(jid: JID, line: Line): void {
    this.#ready = true;
    this.#sessions.push({ jid, at: atOf(line), resumed: line['resumed'] === true, lost: false, steps: [] });
  }

  #end(lost: boolean): void {
    const session = this.#sessions.at(-1);
    if (this.#ready && session !== undefined) session.lost = lost;
    this.#ready = false;
  }

  #step(line: Line): void {
    const { from, text } = line;
    if ((from !== 'client' && from !== 'server') || typeof text !== 'string') throw new Error('it is no element');
    if (!this.#ready) {
      if (from === 'server' && text.includes(NS.SM)) this.#managed ||= /<(?:enabled|resumed)\b/.test(text);
      return;
    }
    const element = parse(text);
    // The loopback server does its own counting (XEP-0198), and answers questions for a sign of life by itself.
    const session = this.#sessions.at(-1);
    if (session === undefined || element.namespaceURI === NS.SM || this.#isAboutLife(element, from, session.jid))
      return;
    if (from === 'server' || isStanzaKind(element.localName)) session.steps.push({ at: atOf(line), from, element });
  }

  #isAboutLife(element: Element, from: 'client' | 'server', own: JID): boolean {
    const id = element.getAttribute('id');
    if (from === 'server') return element.localName === 'iq' && this.#questions.delete(id);
    if (!isQuestion(element, own)) return false;
    this.#questions.add(id);
    return true;
  }
}

function atOf({ at }: Line): number {
  if (typeof at === 'number' && at >= 0) return at;
  throw new Error('"at" is no number of milliseconds');
}
