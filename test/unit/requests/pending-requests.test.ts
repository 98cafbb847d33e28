import { describe, expect, it, vi } from 'vitest';
import { BrokerError, JID, parse } from 'xmpp-broker';
import { Ticket } from '../../../src/queue/ticket.js';
import { InboundRequests } from '../../../src/requests/inbound-requests.js';
import { PendingRequests, type Identity } from '../../../src/requests/pending-requests.js';
import { Tally } from '../../../src/stats.js';
import { NS } from '../../../src/xml/namespaces.js';

const NOBODY: Identity = { jid: null, addressing: 'account' };
const ALICE: Identity = { jid: JID.parse('alice@example.org/phone'), addressing: 'account' };
const ROUTER: Identity = { jid: null, addressing: 'domain' };

/** A request that waits, and what it is settled with. */
function waiting(attributes: string) {
  const requests = new PendingRequests(10, 60_000, new Tally());
  const text = `<iq xmlns='jabber:client' type='get' id='1' ${attributes}/>`;
  const settle = vi.fn();
  requests.add(parse(text), new Ticket(1, text, NS.CLIENT, 'iq'), { event: null, timeoutMs: undefined, settle });
  return { requests, settle };
}

const answer = (attributes: string, type = 'result') =>
  parse(`<iq xmlns='jabber:client' type='${type}' id='1' ${attributes}/>`);

describe('S-RTS-2: only whom a request went to may answer it', () => {
  it.each([
    ["to='bob@example.org'", NOBODY, "from='bob@example.org'", 'result', 'answer'],
    ["to='bob@example.org'", NOBODY, '', 'result', 'spoof'],
    ['', NOBODY, '', 'result', 'answer'],
    ['', NOBODY, "from='example.org'", 'result', 'spoof'],
    ['', ALICE, "from='example.org'", 'result', 'answer'],
    ['', ALICE, "from='alice@example.org'", 'result', 'answer'],
    ['', ALICE, "from='alice@example.org/phone'", 'result', 'answer'],
    ['', ALICE, "from='alice@example.org/other'", 'result', 'spoof'],
    ["to='alice@example.org'", ALICE, '', 'result', 'answer'],
    ["to='alice@example.org/phone'", ALICE, '', 'result', 'answer'],
    ["to='example.org'", ALICE, '', 'result', 'answer'],
    ["to='bob@example.org'", ALICE, '', 'result', 'spoof'],
    ["to='alice@example.org'", ALICE, "from='bob@example.org'", 'result', 'spoof'],
    ["to='b@x' from='a@y'", ROUTER, "from='b@x' to='a@y'", 'result', 'answer'],
    ["to='b@x' from='a@y'", ROUTER, "from='b@x' to='c@y'", 'result', 'spoof'],
    ["to='b@x' from='a@y'", ROUTER, "from='c@x' to='a@y'", 'result', 'spoof'],
    // The router gives an error back with the addresses as they were.
    ["to='b@x' from='a@y'", ROUTER, "to='b@x' from='a@y'", 'error', 'answer'],
    ["to='b@x' from='a@y'", ROUTER, "to='b@x' from='a@y'", 'result', 'spoof'],
    ["to='b@x' from='a@y'", ROUTER, "to='b@x' from='c@y'", 'error', 'spoof'],
    ["to='b@x' from='a@y'", ROUTER, "to='c@x' from='a@y'", 'error', 'spoof'],
  ] as const)('a request %j of %j: %j, %s: %s', (asked, identity, said, type, kind) => {
    expect(waiting(asked).requests.match(answer(said, type), identity).kind).toBe(kind);
  });

  it('a request is answered once, whoever answers again', () => {
    const { requests, settle } = waiting("to='bob@example.org'");
    const said = answer("from='bob@example.org'");
    const [one, other] = [requests.match(said, ALICE), requests.match(said, ALICE)];
    for (const match of [one, other, one]) if (match.kind === 'answer') match.deliver();
    expect([one.kind, other.kind]).toEqual(['answer', 'answer']);
    expect(settle).toHaveBeenCalledOnce();
    expect(requests.size).toBe(0);
  });
});

describe('requests that are pending', () => {
  const FAILURE = new BrokerError('RTS_DISCONNECTED', 'gone', { layer: 'rts' });

  /** Some requests with ids of their own, each with its ticket and what it is settled with. */
  function several(...ids: string[]) {
    const requests = new PendingRequests(10, 60_000, new Tally());
    const asked = ids.map((id) => {
      const text = `<iq xmlns='jabber:client' type='get' id='${id}'/>`;
      const ticket = new Ticket(1, text, NS.CLIENT, 'iq');
      const settle = vi.fn();
      return {
        id,
        ticket,
        settle,
        request: requests.add(parse(text), ticket, { event: null, timeoutMs: undefined, settle }),
      };
    });
    return { requests, asked };
  }

  it('end where somebody says so, and no others', () => {
    const { requests, asked } = several('1', '2', '3');
    requests.failWhere(
      ({ id }) => id !== '2',
      () => FAILURE,
    );
    expect(asked.map(({ settle }) => settle.mock.calls.map(([outcome]) => outcome as unknown))).toEqual([
      [FAILURE],
      [],
      [FAILURE],
    ]);
    expect([...requests.pending().keys()]).toEqual(['2']);
  });

  it('cost what was written, but for what a managed session keeps', () => {
    const { requests, asked } = several('1', '2', '3');
    const [one, other] = asked;
    expect(requests.sentCost).toBe(0);
    for (const { ticket } of asked.slice(0, 2)) ticket.markSent();
    expect(requests.sentCost).toBe((one?.ticket.cost ?? NaN) + (other?.ticket.cost ?? NaN));
    if (other !== undefined) other.ticket.inSession = true;
    expect(requests.sentCost).toBe(one?.ticket.cost);
    for (const { request } of asked) requests.fail(request, FAILURE);
    expect([requests.sentCost, requests.sentCostAtMost]).toEqual([0, 0]);
  });

  it('have no time limit while their stanza is held again, unless it is one of their own', () => {
    vi.useFakeTimers();
    try {
      const requests = new PendingRequests(10, 100, new Tally());
      const ask = (id: string, timeoutMs?: number) => {
        const text = `<iq xmlns='jabber:client' type='get' id='${id}'/>`;
        const ticket = new Ticket(1, text, NS.CLIENT, 'iq');
        const settle = vi.fn();
        const request = requests.add(parse(text), ticket, { event: null, timeoutMs, settle });
        ticket.markSent();
        requests.held(request);
        return { requests, ticket, settle, request };
      };
      const [usual, own] = [ask('1'), ask('2', 100)];
      vi.advanceTimersByTime(1_000);
      expect(usual.settle).not.toHaveBeenCalled();
      expect(own.settle).toHaveBeenCalledWith(
        expect.objectContaining({ code: 'RTS_TIMEOUT', sent: 'maybe' }),
        own.request,
      );
      expect(requests.sentCost).toBe(0);
      usual.ticket.markHeld(true);
      usual.ticket.markSent();
      vi.advanceTimersByTime(1_000);
      expect(usual.settle).toHaveBeenCalledOnce();
      // Written after all, when nobody waits any more.
      own.ticket.markHeld(true);
      own.ticket.markSent();
      requests.held(own.request);
      expect([requests.size, requests.sentCost, vi.getTimerCount()]).toEqual([0, 0, 0]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('a late answer is known as one, of the last thousand that ran out of time', () => {
    vi.useFakeTimers();
    try {
      const requests = new PendingRequests(2_000, 100, new Tally());
      for (let k = 0; k <= 1_000; k += 1) {
        const text = `<iq xmlns='jabber:client' type='get' id='${String(k)}'/>`;
        const ticket = new Ticket(1, text, NS.CLIENT, 'iq');
        requests.add(parse(text), ticket, { event: null, timeoutMs: 100, settle: () => undefined });
      }
      vi.advanceTimersByTime(1_000);
      const late = (id: number) =>
        requests.match(parse(`<iq xmlns='jabber:client' type='result' id='${String(id)}'/>`), NOBODY).kind;
      expect([late(0), late(1), late(1), late(1_000)]).toEqual(['none', 'late', 'none', 'late']);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('requests of others', () => {
  it('are taken once', () => {
    const requests = new InboundRequests();
    const [one, other] = ['a@x', 'b@x'].map(
      (from) => requests.arrived(parse(`<iq xmlns='jabber:client' type='get' id='1' from='${from}'/>`)).open,
    );
    if (one === undefined || other === undefined) throw new Error('they did not arrive');
    expect([requests.take(one), requests.take(one)]).toEqual([true, false]);
    expect(requests.has(other)).toBe(true);
    expect([requests.take(other), requests.take(other), requests.has(other)]).toEqual([true, false, false]);
  });

  const request = (id: number, from = 'a@x') =>
    parse(`<iq xmlns='jabber:client' type='get' id='${String(id)}' from='${from}'/>`);

  it('one of a thousand and one leaves, the oldest that is open', () => {
    const requests = new InboundRequests();
    const opened = Array.from({ length: 1_000 }, (_, k) => requests.arrived(request(k)));
    expect(opened.every(({ pushedOut }) => pushedOut === null)).toBe(true);
    const [first, second] = opened.map(({ open }) => open);
    if (first === undefined || second === undefined) throw new Error('they did not arrive');
    requests.take(first);
    expect(requests.arrived(request(1_000)).pushedOut).toBeNull();
    expect(requests.arrived(request(1_001)).pushedOut).toBe(second);
  });

  it('a second answer is told of the last thousand that were answered without the program', () => {
    const requests = new InboundRequests();
    const answers = (id: number, to = 'a@x') =>
      requests.sent(parse(`<iq xmlns='jabber:client' type='result' id='${String(id)}' to='${to}'/>`))?.id ?? null;
    for (let k = 0; k <= 1_000; k += 1) {
      const { open } = requests.arrived(request(k));
      requests.take(open);
      requests.remember(open);
    }
    expect([answers(0), answers(1, 'b@x'), answers(1), answers(1)]).toEqual([null, null, '1', null]);
  });

  it('are open no more when the program answers, and only whom they came from', () => {
    const requests = new InboundRequests();
    const [one, other] = [requests.arrived(request(1, 'a@x')).open, requests.arrived(request(1, 'b@x')).open];
    const own = requests.arrived(parse("<iq xmlns='jabber:client' type='get' id='2'/>")).open;
    requests.sent(parse("<iq xmlns='jabber:client' type='result' id='1' to='B@X'/>"));
    requests.sent(parse("<iq xmlns='jabber:client' type='result' id='2' to='a@x'/>"));
    expect([one, other, own].map((open) => requests.has(open))).toEqual([true, false, true]);
    requests.sent(parse("<iq xmlns='jabber:client' type='result' id='2'/>"));
    expect(requests.has(own)).toBe(false);
  });

  it('without an id, which no request may be, are answered like others', () => {
    const requests = new InboundRequests();
    const iq = parse("<iq xmlns='jabber:client' type='get' from='a@x'/>");
    const { open } = requests.arrived(iq);
    expect(requests.of(iq)).toBe(open);
    expect(requests.of(request(1))).toBeNull();
    requests.sent(parse("<iq xmlns='jabber:client' type='error' to='a@x'/>"));
    expect(requests.has(open)).toBe(false);
  });

  it('are forgotten with their time limits when their session is over', () => {
    vi.useFakeTimers();
    try {
      const requests = new InboundRequests();
      const [one, other] = [requests.arrived(request(1)).open, requests.arrived(request(1, 'b@x')).open];
      one.timer = setTimeout(() => undefined, 1_000);
      other.answer = request(1);
      expect(requests.owed).toEqual([other]);
      requests.clear();
      requests.clear();
      expect([requests.owed, requests.has(one), vi.getTimerCount()]).toEqual([[], false, 0]);
    } finally {
      vi.useRealTimers();
    }
  });
});
