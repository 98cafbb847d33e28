// A-STZ-9: a stanza whose filters take several turns of the event loop, and what happens between them.
import { describe, expect, it } from 'vitest';
import { parse, type Element } from 'xmpp-broker';
import { FilterSet } from '../../../src/filters/filter-set.js';
import { Unevaluated, type Found } from '../../../src/filters/found.js';

const large = (last: string): Element => parse(`<message>${'<a><b/></a>'.repeat(4_000)}${last}</message>`);
const costly = (n: number) => `count(//b[count(ancestor::*) > ${n}]) > 0`;

/** Goes on to the end. @returns how many turns it took, and what matched */
function finish(set: FilterSet, begun: Found | Unevaluated, stanza: Element) {
  const events: string[] = [];
  let found = begun;
  let turns = 1;
  for (; found instanceof Unevaluated; turns += 1) found = set.findMore(found);
  set.tell(stanza, found, ({ event }) => events.push(event), (_, { code }) => events.push(code)); // prettier-ignore
  return { turns, events };
}

describe('A-STZ-9: a stanza that takes several turns', () => {
  it('finds what one turn finds, and leaves out what is removed or added meanwhile', () => {
    const set = new FilterSet();
    set.add('c', '//c');
    const removed = set.add('removed', '//b');
    for (const n of [0, 1]) set.add(`costly ${n}`, costly(n));
    const stanza = large('<c/>');
    const begun = set.find(stanza);
    expect(begun).toBeInstanceOf(Unevaluated);
    removed.remove();
    for (const expression of ['//b', '//c', '.']) set.add('new', expression);
    const { turns, events } = finish(set, begun, stanza);
    expect(turns).toBeGreaterThan(3);
    expect(events).toEqual(['c', 'costly 0', 'costly 1']);
    expect(finish(set, set.find(stanza), stanza).events).toEqual(['c', 'costly 0', 'costly 1', 'new', 'new', 'new']);
  });

  it('is found out about before the next one begins', () => {
    const set = new FilterSet();
    set.add('text', '//a[. = "x"]');
    set.add('part', '//c[contains(., "y")]');
    const stanzas = [large('<a><b>x</b></a>'), large('<c>x<b>y</b></c>')];
    const begun = stanzas.map((stanza) => set.find(stanza));
    for (const found of begun) expect(found).toBeInstanceOf(Unevaluated);
    const events = begun.map((found, index) => finish(set, found, stanzas[index]!).events);
    expect(events).toEqual([['text'], ['part']]);
  });
});
