// A-STZ-9, G8: filters that cost much leave their turn of the event loop to others, between two of them and within a walk.
import { describe, expect, it } from 'vitest';
import type { BrokerOptions, FilterMatch } from 'xmpp-broker';
import { COMPONENT, DOMAIN } from '../support/component.js';
import { stopClock } from '../support/clock.js';
import { useRig } from '../support/rig.js';

const rig = useRig(COMPONENT);

/** Each visits more than one turn bears, and less than a stanza may cost. */
const COSTLY = Array.from({ length: 5 }, (_, n) => `count(//a[count(preceding-sibling::a) > ${n}]) > 0`);
const large = (id: string, elements: number) =>
  `<message from='a@b' to='${DOMAIN}' id='${id}'>${'<a/>'.repeat(elements)}</message>`;
const small = (id: string) => `<message from='a@b' to='${DOMAIN}' id='${id}'/>`;

/** A component with filters, and what it hears in order. */
async function ready(expressions: readonly string[], options: Partial<BrokerOptions> = {}) {
  const { broker, server } = await rig.ready(options);
  const heard: string[] = [];
  for (const [n, expression] of expressions.entries()) {
    broker.filters.add(`found ${n}`, expression);
    broker.subscribe(`found ${n}`, ({ node }: FilterMatch) => void heard.push(`${node.getAttribute('id')} found ${n}`));
  }
  broker.subscribe('PCJ_NODERECEIVED', (node) => void heard.push(`${node.getAttribute('id')} received`));
  const evaluated = () => [...broker.filters].reduce((sum, { counters }) => sum + counters.evaluated, 0);
  return { broker, server, heard, evaluated };
}

/** What a value is in each turn of the event loop, until it is the last one. */
async function inEachTurn(look: () => number, last: number): Promise<Set<number>> {
  const seen = new Set<number>();
  for (let value = look(); ; value = look()) {
    seen.add(value);
    if (value >= last) return seen;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('A-STZ-9: filters that cost much', () => {
  it('give others their turn one after the other, and are heard as ever', async () => {
    const { server, heard, evaluated } = await ready([...COSTLY, '//b']);
    const seen = inEachTurn(evaluated, COSTLY.length);
    await server.send(large('1', 200) + small('2'));
    expect([...(await seen)]).toEqual([0, 1, 2, 3, 4, 5]);
    await expect.poll(() => heard).toEqual([...COSTLY.map((_, n) => `1 found ${n}`), '1 received', '2 received']);
  });

  it('do so while those are searched that a large stanza may match', async () => {
    const { broker, server, heard } = await ready(['//a', '//c', '//a[. = "x"]']);
    let turns = 0;
    const count = () => void ((turns += 1), (next = setImmediate(count)));
    let next = setImmediate(count);
    await server.send(small('0'));
    await expect.poll(() => heard).toEqual(['0 received']);
    const received = broker.stats().stanzas.in.message;
    await server.send(large('1', 20_000).replace('</message>', '<a>x</a></message>'));
    while (broker.stats().stanzas.in.message === received) await new Promise((resolve) => setImmediate(resolve));
    const before = turns;
    await expect.poll(() => heard, { interval: 1 }).toHaveLength(4);
    clearImmediate(next);
    expect(turns - before).toBeGreaterThanOrEqual(4);
    expect(heard).toEqual(['0 received', '1 found 0', '1 found 2', '1 received']);
  });

  it.each([
    ['the end of the stream', '</stream:stream>'],
    ['the end of the connection', ''],
  ])('%s stays behind them', async (_, last) => {
    const { broker, server, heard } = await ready(COSTLY);
    broker.subscribe('PCJ_SOCKETDISCONNECT', () => void heard.push('end'));
    await server.send(large('1', 200) + small('2') + last);
    server.end();
    await broker.closed;
    expect(heard.slice(COSTLY.length)).toEqual(['1 received', '2 received', 'end']);
  });

  it('are not taken for a server that is silent', async () => {
    const clock = stopClock();
    const { broker, server, heard, evaluated } = await ready(Array.from({ length: 50 }, () => COSTLY).flat(), {
      liveness: { intervalMs: 1_000, timeoutMs: 1_000 },
    });
    await server.send(large('1', 200));
    let seconds = 0;
    for (; evaluated() < 200; seconds += 1) await clock.pass(1_000);
    await inEachTurn(evaluated, 250);
    await clock.pass(0);
    expect(seconds).toBeGreaterThan(5);
    expect([broker.state, heard.at(-1)]).toEqual(['ready', '1 received']);
  });

  it('are not heard behind halt(), nor those that were removed meanwhile, nor those that are new', async () => {
    const { broker, server, heard, evaluated } = await ready(COSTLY);
    const [, , third] = broker.filters;
    void server.send(large('1', 200));
    await inEachTurn(evaluated, 2);
    third!.remove();
    broker.filters.add('found 0', '.');
    await expect.poll(() => heard).toEqual([0, 1, 3, 4].map((n) => `1 found ${n}`).concat('1 received'));
    void server.send(large('2', 200));
    await inEachTurn(evaluated, 7);
    broker.halt();
    const before = evaluated();
    await broker.closed;
    for (let turns = 0; turns < 10; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    // Nor do they cost anything any more.
    expect([heard.length, evaluated()]).toEqual([5, before]);
  });
});
