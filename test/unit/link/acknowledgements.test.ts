import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Acknowledgements } from '../../../src/link/acknowledgements.js';
import { ManagedSession, type SessionKeeper } from '../../../src/protocols/features/managed-session.js';
import { Ticket } from '../../../src/queue/ticket.js';
import { NS } from '../../../src/xml/namespaces.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';

const QUESTION = parse(`<r xmlns='${NS.SM}'/>`);
const answer = (h: number) => parse(`<a xmlns='${NS.SM}' h='${String(h)}'/>`);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function acknowledgements(answerMs: number | null = 1_000, keeper: SessionKeeper | null = null) {
  const session = new ManagedSession('a@b/c', { id: 's' });
  session.keeper = keeper;
  const texts: (() => string)[] = [];
  const unanswered = vi.fn();
  const made = new Acknowledgements(session, answerMs, {
    write: (text) => texts.push(text),
    hold: vi.fn(),
    asked: vi.fn(),
    answered: vi.fn(),
    acked: vi.fn(),
    unanswered,
  });
  const send = (count = 1): void => {
    for (let id = 0; id < count; id += 1) {
      const ticket = new Ticket(id, '<message/>', NS.CLIENT);
      made.sent(ticket);
      ticket.markSent();
    }
  };
  /** What is written at the end of this turn. */
  const written = (): string[] =>
    texts.splice(0).map((text) => / xmlns='[^']*'(.*)\/>/.exec(text())?.[1]?.trim() || 'r');
  return { session, made, send, written, unanswered };
}

describe('in an orderly end', () => {
  it('asks for what is unproved, and tells what was handled', () => {
    const { session, made, send, written } = acknowledgements();
    session.onHandled(2);
    send();
    made.farewell();
    expect(written()).toEqual(['r', "h='2'"]);
  });

  it('asks for nothing where nothing is left', () => {
    const { made, written } = acknowledgements();
    made.farewell();
    expect(written()).toEqual(["h='0'"]);
  });

  it('tells once where an answer is on its way already', () => {
    const { session, made, written } = acknowledgements();
    made.receive(QUESTION);
    made.farewell();
    session.onHandled();
    expect(written()).toEqual(["h='1'"]);
  });

  it('tells at once where an answer still waits for a store', () => {
    const keep = vi.fn();
    const { session, made, written } = acknowledgements(1_000, { keep });
    session.onHandled();
    made.receive(QUESTION);
    made.receive(QUESTION);
    expect(keep).toHaveBeenCalledOnce();
    made.farewell();
    // No more than what is kept.
    expect(written()).toEqual(["h='0'"]);
  });
});

describe('time for an answer', () => {
  it('begins anew when reading goes on, if one is awaited', () => {
    const { made, written, unanswered } = acknowledgements();
    made.request();
    vi.advanceTimersByTime(900);
    made.hold(true);
    vi.advanceTimersByTime(5_000);
    expect(unanswered).not.toHaveBeenCalled();
    made.hold(false);
    vi.advanceTimersByTime(999);
    expect(unanswered).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(unanswered).toHaveBeenCalledExactlyOnceWith(1_000);
    expect(written()).toEqual(['r']);
  });

  it('is not over where nothing was asked, or nobody minds', () => {
    const nothing = acknowledgements();
    nothing.made.hold(true);
    nothing.made.hold(false);
    const patient = acknowledgements(null);
    patient.made.request();
    patient.made.hold(true);
    patient.made.hold(false);
    vi.advanceTimersByTime(1_000_000);
    expect([nothing.unanswered.mock.calls, patient.unanswered.mock.calls]).toEqual([[], []]);
  });
});

describe('a quiet time', () => {
  it('is when a few stanzas are asked for', () => {
    const { send, written } = acknowledgements();
    send(2);
    vi.advanceTimersByTime(4_999);
    expect(written()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(written()).toEqual(['r']);
  });

  it('is nothing where they were acknowledged without being asked for', () => {
    const { made, send, written } = acknowledgements();
    send(2);
    expect(made.receive(answer(2))).toBeNull();
    vi.advanceTimersByTime(60_000);
    expect(written()).toEqual([]);
  });

  it('begins anew where more was sent than the answer covers', () => {
    const { made, send, written } = acknowledgements();
    send(5);
    expect(written()).toEqual(['r']);
    send(2);
    made.receive(answer(5));
    vi.advanceTimersByTime(5_000);
    expect(written()).toEqual(['r']);
    send(5);
    made.receive(answer(7));
    expect(written()).toEqual(['r']);
  });
});
