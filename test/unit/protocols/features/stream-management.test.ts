import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Acknowledgements } from '../../../../src/link/acknowledgements.js';
import { BrokerError } from '../../../../src/errors.js';
import type { Negotiation } from '../../../../src/protocols/dialect.js';
import { ManagedSession } from '../../../../src/protocols/features/managed-session.js';
import { enable, resume } from '../../../../src/protocols/features/stream-management.js';
import { Ticket } from '../../../../src/queue/ticket.js';
import { xml } from '../../../../src/xml/builder.js';
import type { Element } from '../../../../src/xml/element.js';
import { NS } from '../../../../src/xml/namespaces.js';
import { parse } from '../../../../src/xml/tokenizer/parse.js';

const MODULUS = 2 ** 32;
const FEATURES = xml('features', {}, xml('sm', { xmlns: NS.SM }));
const a = (h: number | string) => xml('a', { xmlns: NS.SM, h });

/** XEP-0198 on paper: counters without end, of which the wire shows the rest of a division by 2^32. */
interface Paper {
  /** Stanzas that we sent, oldest first, and how many of them the server has handled and told. */
  sent: Ticket[];
  acked: number;
  /** Stanzas of the server that we handled. */
  handled: number;
  /** What both counters began with. */
  readonly start: number;
}

/** One session on link after link, beside its model. */
class Course {
  readonly paper: Paper;
  readonly session: ManagedSession;
  acks!: Acknowledgements;
  /** What was written ahead of stanzas. */
  written: string[] = [];
  held = false;
  given: Ticket[] = [];
  over = false;
  #ids = 0;

  constructor(start: number) {
    this.paper = { sent: [], acked: 0, handled: 0, start };
    this.session = new ManagedSession('a@b/c', { id: 'session', max: 300, start });
    this.link();
  }

  link(): void {
    this.written = [];
    this.acks = new Acknowledgements(this.session, null, {
      write: (text) => this.written.push(text()),
      hold: (held) => (this.held = held),
      asked: () => undefined,
      acked: (tickets) => this.given.push(...tickets),
      answered: () => undefined,
      unanswered: () => undefined,
    });
  }

  get unproved(): Ticket[] {
    return this.paper.sent.slice(this.paper.acked);
  }

  send(): void {
    this.#ids += 1;
    const ticket = new Ticket(this.#ids, `<message id='${String(this.#ids)}'/>`, NS.CLIENT);
    this.paper.sent.push(ticket);
    this.write(ticket);
  }

  /** A stanza that is not counted passes by. */
  sendNonza(): void {
    this.write(new Ticket(0, "<active xmlns='urn:xmpp:csi:0'/>", NS.CLIENT, 'other'));
  }

  write(ticket: Ticket): void {
    this.acks.sent(ticket);
    ticket.markSent();
  }

  /** What the wire shows of a count. */
  h(count: number): number {
    return (this.paper.start + count) % MODULUS;
  }

  acknowledge(count: number): void {
    const before = this.paper.acked;
    this.given = [];
    expect(this.acks.receive(a(this.h(count)))).toBeNull();
    this.paper.acked = count;
    expect(this.given).toEqual(this.paper.sent.slice(before, count));
  }

  /** What the server says when the session is to go on, or not. */
  async comeBack(answer: (requested: Element) => Element): Promise<boolean> {
    const said: Element[] = [];
    const acked: Ticket[] = [];
    const negotiation = {
      resumable: this.session,
      send: (element: Element) => said.push(element),
      next: () => Promise.resolve(answer(said[0]!)),
      publish: (event: string, payload: { acked?: Ticket[] }) => {
        if (event === 'PCJ_SM_ACK') acked.push(...(payload.acked ?? []));
      },
    } as unknown as Negotiation;
    const resumed = await resume(negotiation, FEATURES, this.session);
    expect(said[0]?.getAttribute('h')).toBe(String(this.h(this.paper.handled)));
    this.given = acked;
    return resumed;
  }

  verify(): void {
    const { session, paper } = this;
    expect(session.handled).toBe(this.h(paper.handled));
    if (this.over) return;
    expect(session.sent).toBe(this.h(paper.sent.length));
    expect(session.size).toBe(paper.sent.length - paper.acked);
    expect(session.unacked()).toEqual(this.unproved);
    expect(session.cost).toBe(this.unproved.reduce((sum, { cost }) => sum + cost, 0));
    expect(paper.sent.every(({ state }, at) => state === (at < paper.acked ? 'acked' : 'sent'))).toBe(true);
    expect(this.unproved.every(({ inSession }) => inSession)).toBe(true);
  }
}

type Step = (course: Course) => void | Promise<void>;

const many = (most: number) => fc.integer({ min: 1, max: most });
/** A part of what is unproved, in thousandths. */
const part = fc.integer({ min: 0, max: 1_000 });
const upTo = ({ paper }: Course, share: number) =>
  paper.acked + Math.round(((paper.sent.length - paper.acked) * share) / 1_000);

/** What goes on with the session, and what ends it. */
const goingOn: fc.Arbitrary<[name: string, step: Step]> = fc.oneof(
  many(12).map((count): [string, Step] => [
    `send ${String(count)}`,
    (course) => {
      for (let n = 0; n < count; n++) course.send();
    },
  ]),
  fc.constant<[string, Step]>(['send what is not counted', (course) => course.sendNonza()]),
  many(9).map((count): [string, Step] => [
    `handle ${String(count)}, and be asked`,
    (course) => {
      for (let n = 0; n < count; n++) course.session.onHandled();
      course.paper.handled += count;
      course.written = [];
      expect(course.acks.receive(xml('r', { xmlns: NS.SM }))).toBeNull();
      expect(parse(course.written.at(-1) ?? '').getAttribute('h')).toBe(String(course.h(course.paper.handled)));
    },
  ]),
  part.map((share): [string, Step] => [
    `acknowledge ${String(share)}‰`,
    (course) => {
      course.acknowledge(upTo(course, share));
    },
  ]),
  fc.constant<[string, Step]>([
    'acknowledge the same again',
    (course) => {
      course.acknowledge(course.paper.acked);
    },
  ]),
  fc.oneof(many(5), fc.integer({ min: 1, max: MODULUS - 1 })).map((excess): [string, Step] => [
    `acknowledge ${String(excess)} too many`,
    (course) => {
      const count = course.paper.sent.length + excess;
      // Going far enough beyond the end comes around to what is unproved.
      if (excess >= MODULUS - course.session.size) return;
      const fault = course.acks.receive(a(course.h(count)));
      expect(fault?.error).toMatchObject({ code: 'SM_BAD_H' });
      expect(fault?.appCondition?.getAttribute('send-count')).toBe(String(course.h(course.paper.sent.length)));
    },
  ]),
  fc.constantFrom('', '-1', '1e3', ' 5', '0x1', String(MODULUS), '99999999999', 'NaN').map((h): [string, Step] => [
    `acknowledge "${h}"`,
    (course) => {
      expect(course.acks.receive(a(h))?.error).toMatchObject({ code: 'SM_BAD_H' });
    },
  ]),
  part.map((share): [string, Step] => [
    `cut, and resume with ${String(share)}‰`,
    async (course) => {
      course.acks.stop();
      const { paper, session } = course;
      const [before, count] = [paper.acked, upTo(course, share)];
      const resumed = await course.comeBack(() =>
        xml('resumed', { xmlns: NS.SM, previd: 'session', h: course.h(count) }),
      );
      expect(resumed).toBe(true);
      paper.acked = count;
      expect(course.given).toEqual(paper.sent.slice(before, count));
      course.link();
      // The rest is sent again, and counts once.
      for (const ticket of session.unacked()) course.write(ticket);
    },
  ]),
);

const ending: fc.Arbitrary<[name: string, step: Step]> = fc.oneof(
  fc.tuple(fc.constantFrom('session', 'other'), many(9)).map(([previd, excess]): [string, Step] => [
    `cut, and hear nonsense of ${previd}`,
    async (course) => {
      course.acks.stop();
      const h = course.h(course.paper.sent.length + (previd === 'session' ? excess : 0));
      const answer = course.comeBack(() => xml('resumed', { xmlns: NS.SM, previd, h }));
      await expect(answer).rejects.toMatchObject({ code: previd === 'session' ? 'SM_BAD_H' : 'SM_BAD_RESUMED' });
      expect(course.session.id).toBeNull();
      giveUp(course);
    },
  ]),
  fc.option(part).map((share): [string, Step] => [
    `cut, and fail with ${share === null ? 'no count' : `${String(share)}‰`}`,
    async (course) => {
      course.acks.stop();
      const { paper } = course;
      const [before, count] = [paper.acked, share === null ? paper.acked : upTo(course, share)];
      const h = share === null ? null : course.h(count);
      const resumed = await course.comeBack(() => xml('failed', { xmlns: NS.SM, h }));
      expect(resumed).toBe(false);
      paper.acked = count;
      expect(course.given).toEqual(paper.sent.slice(before, count));
      giveUp(course);
    },
  ]),
);

const steps = fc.oneof({ weight: 30, arbitrary: goingOn }, { weight: 1, arbitrary: ending });

/** The session is over: all that is unproved is there to be held, in order, once. */
function giveUp(course: Course): void {
  const rest = course.unproved;
  expect(course.session.takeUnacked()).toEqual(rest);
  expect(course.session.takeUnacked()).toEqual([]);
  expect(course.session).toMatchObject({ size: 0, cost: 0 });
  for (const ticket of rest) ticket.markHeld(true);
  expect(course.paper.sent.every((ticket, at) => ticket.possibleDuplicate === at >= course.paper.acked)).toBe(true);
  course.over = true;
}

describe('a session that is over by the time', () => {
  const negotiation = (resumable: ManagedSession | null, answer: Element) => {
    const said: Element[] = [];
    const next = () => Promise.resolve(answer);
    const session = { resumable, send: (element: Element) => said.push(element), next, publish: () => undefined };
    return { said, session: session as unknown as Negotiation };
  };
  const resumed = xml('resumed', { xmlns: NS.SM, previd: 'session', h: 0 });

  it('S-SM-7: that it would be asked for is not asked for', async () => {
    const { said, session } = negotiation(null, resumed);
    const nameless = new ManagedSession('a@b/c', { id: null, max: null, start: 0 });
    expect(await resume(session, FEATURES, nameless)).toBe(false);
    expect(said).toEqual([]);
  });

  it('S-SM-7: that the server resumes it does not go on', async () => {
    const managed = new ManagedSession('a@b/c', { id: 'session', max: 300, start: 0 });
    const { session } = negotiation(null, resumed);
    const error: unknown = await resume(session, FEATURES, managed).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'SM_EXPIRED', layer: 'sm', retryable: true });
    expect(managed.id).toBeNull();
  });
});

describe('what answers', () => {
  const managed = () => new ManagedSession('a@b/c', { id: 'session', max: 300, start: 0 });
  /** A server that says these in turn; what is no answer is left to the negotiation. */
  const server = (resumable: ManagedSession | null, ...said: (Element | Error)[]) => {
    const next = async (isAnswer: (element: Element) => boolean) => {
      const found = said.find((one) => one instanceof Error || isAnswer(one));
      if (found instanceof Error || found === undefined) throw found ?? new Error('nothing was said');
      return Promise.resolve(found);
    };
    return { resumable, next, tls: null, send: () => undefined, publish: () => undefined } as unknown as Negotiation;
  };
  const names = ['enabled', 'resumed', 'failed'] as const;

  it.each(names)('S-SM-1 S-SM-7: is of our namespace: <%s/> of another is none', async (name) => {
    const other = xml(name, { xmlns: 'urn:xmpp:sm:2', id: 'other', resume: 'true', previd: 'session', h: 0 });
    const enabled = xml('enabled', { xmlns: NS.SM, id: 'ours', resume: 'true' });
    expect((await enable(server(null, other, enabled), FEATURES, 'a@b/c', true))?.id).toBe('ours');
    const session = managed();
    const resumed = xml('resumed', { xmlns: NS.SM, previd: 'session', h: 0 });
    expect(await resume(server(session, other, resumed), FEATURES, session)).toBe(true);
  });

  it('S-SM-7: that we gave up ourselves says nothing of the session, nor does a mistake of ours', async () => {
    const aborted = new BrokerError('USAGE_ABORTED', 'it was given up', { layer: 'usage' });
    for (const why of [aborted, new TypeError('a mistake')]) {
      const session = managed();
      for (let times = 0; times < 3; times++) {
        await expect(resume(server(session, why), FEATURES, session)).rejects.toBe(why);
      }
      expect(session.id).toBe('session');
    }
  });

  it.each([
    ['stream', 1],
    ['tcp', 2],
  ] as const)('S-SM-7: is awaited in vain: by an error of %s the session is over after %i', async (layer, times) => {
    const why = new BrokerError('GONE', 'it is gone', { layer });
    const session = managed();
    for (let time = 1; time <= times; time++) {
      expect(session.id).toBe('session');
      await expect(resume(server(session, why), FEATURES, session)).rejects.toMatchObject({ retryable: true });
    }
    expect(session.id).toBeNull();
  });
});

describe('acknowledgements', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** What is written is taken by the socket when the test says so. */
  const running = (answerMs: number | null = null) => {
    const session = new ManagedSession('a@b/c', { id: 'session', max: 300, start: 0 });
    const waiting: (() => string)[] = [];
    const unanswered = vi.fn();
    const acks = new Acknowledgements(session, answerMs, {
      write: (text) => waiting.push(text),
      hold: () => undefined,
      asked: () => undefined,
      acked: () => undefined,
      answered: () => undefined,
      unanswered,
    });
    return { session, acks, waiting, unanswered, taken: () => waiting.splice(0).map((text) => text()) };
  };
  const request = xml('r', { xmlns: NS.SM });
  const message = () => new Ticket(1, `<message/>`, NS.CLIENT);

  it('S-SM-12: one that is on its way already tells the newest count, at a farewell too', () => {
    const { session, acks, taken } = running();
    acks.receive(request);
    session.onHandled();
    acks.farewell();
    expect(taken()).toEqual([`<a xmlns='${NS.SM}' h='1'/>`]);
    acks.farewell();
    expect(taken()).toEqual([`<a xmlns='${NS.SM}' h='1'/>`]);
  });

  it('S-SM-12: one that waits for its count to be kept does not wait at a farewell', () => {
    const { session, acks, taken } = running();
    session.keeper = { keep: () => undefined };
    acks.receive(request);
    expect(taken()).toEqual([]);
    acks.farewell();
    expect(taken()).toEqual([`<a xmlns='${NS.SM}' h='0'/>`]);
  });

  it('S-SM-13: none is asked for behind a quiet time when all are there', () => {
    const { acks, taken } = running();
    acks.sent(message());
    vi.advanceTimersByTime(4_999);
    acks.receive(a(1));
    vi.advanceTimersByTime(60_000);
    expect(taken()).toEqual([]);
    acks.sent(message());
    vi.advanceTimersByTime(5_000);
    expect(taken()).toEqual([`<r xmlns='${NS.SM}'/>`]);
    acks.stop();
  });

  it('S-SM-13: the time for one begins anew when the peer is listened to again', () => {
    const { acks, unanswered } = running(1_000);
    acks.hold(true);
    acks.hold(false);
    vi.advanceTimersByTime(60_000);
    acks.request();
    vi.advanceTimersByTime(999);
    acks.hold(true);
    vi.advanceTimersByTime(60_000);
    acks.hold(false);
    vi.advanceTimersByTime(999);
    expect(unanswered).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(unanswered.mock.calls).toEqual([[1_000]]);
    acks.stop();
  });
});

describe('a managed session against its model', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('S-SM-4 S-SM-5 S-SM-8 S-SM-9 S-SM-15: any acknowledgements, cuts and resumptions, around 2^32', async () => {
    const start = fc.oneof(
      { weight: 1, arbitrary: fc.constantFrom(0, 1, 2 ** 31 - 2, 2 ** 31) },
      { weight: 4, arbitrary: fc.integer({ min: MODULUS - 30, max: MODULUS - 1 }) },
    );
    let [wrapped, ended] = [0, 0];
    await fc.assert(
      fc.asyncProperty(start, fc.array(steps, { minLength: 1, maxLength: 40, size: 'max' }), async (begin, course) => {
        const run = new Course(begin);
        for (const [, step] of course) {
          await step(run);
          run.verify();
          if (run.over) break;
        }
        run.acks.stop();
        expect(vi.getTimerCount()).toBe(0);
        if (begin + run.paper.acked >= MODULUS) wrapped += 1;
        if (run.over) ended += 1;
      }),
      { numRuns: 400 },
    );
    // The runs were what they are meant to be.
    expect(wrapped).toBeGreaterThan(20);
    expect(ended).toBeGreaterThan(20);
  });

  it('S-SM-4: three before 2^32, ten each way, resumed across the wrap', async () => {
    const course = new Course(MODULUS - 3);
    for (let n = 0; n < 10; n++) course.send();
    for (let n = 0; n < 10; n++) course.session.onHandled();
    course.paper.handled = 10;
    course.verify();
    expect(course.session.sent).toBe(7);
    const resumed = await course.comeBack(({ localName }) => {
      expect(localName).toBe('resume');
      return xml('resumed', { xmlns: NS.SM, previd: 'session', h: 2 });
    });
    expect(resumed).toBe(true);
    course.paper.acked = 5;
    course.verify();
    expect(() => course.session.onAck(String(MODULUS - 1))).toThrow(BrokerError);
    expect(course.session.onAck('7')).toHaveLength(5);
    expect(course.session.size).toBe(0);
  });

  it('S-SM-13: sending is held back at 10 000 that are unproved, and goes on below half of that', () => {
    const course = new Course(MODULUS - 5_000);
    for (let n = 0; n < 9_999; n++) course.send();
    expect(course.held).toBe(false);
    course.send();
    expect(course.held).toBe(true);
    course.acknowledge(5_000);
    expect(course.held).toBe(true);
    course.acknowledge(5_001);
    expect(course.held).toBe(false);
    course.verify();
    course.acks.stop();
  });
});
