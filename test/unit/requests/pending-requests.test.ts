import { describe, expect, it, vi } from 'vitest';
import { JID, parse } from 'xmpp-broker';
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
});
