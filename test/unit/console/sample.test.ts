import { expect, it } from 'vitest';
import { xml } from 'xmpp-broker';
import { Sample } from '../../../src/console/sample.js';
import { ViewFilter, viewOf } from '../../../src/console/view.js';

const everything = viewOf(new URLSearchParams(), 'jabber:client', 50_000);
const message = (text: string) => xml('message', { xmlns: 'jabber:client' }, xml('body', {}, text));

it('takes as much as a page can show, and counts the rest', () => {
  const sample = new Sample(everything);
  for (let i = 0; i < 1_000; i += 1) sample.stanza('in', message(String(i)));
  for (let i = 0; i < 100; i += 1) sample.event('fault', 'PCJ_HANDLERERROR', { event: 'e', error: new Error('x') });
  const traffic = sample.take(false);
  expect(traffic).toMatchObject({ seen: 1_100, left: 1_040 });
  expect(traffic?.rows.filter(({ what }) => what === 'in').map(({ text }) => text)).toEqual(
    Array.from({ length: 30 }, (_, i) => String(i)),
  );
  // That nothing is left out any more is told once.
  expect(sample.take(false)).toEqual({ kind: 'traffic', rows: [], seen: 0, left: 0, aside: false });
  expect(sample.take(false)).toBeNull();
});

it('keeps nothing for a page that is behind, and tells how much that was', () => {
  const sample = new Sample(everything);
  for (let i = 0; i < 5; i += 1) sample.stanza('in', message('lost'));
  expect(sample.take(true)).toBeNull();
  sample.stanza('in', message('shown'));
  expect(sample.take(false)).toMatchObject({ seen: 6, left: 5, rows: [{ text: 'shown', number: 6 }] });
});

it('has a bound for the text of its rows', () => {
  const sample = new Sample(everything);
  for (let i = 0; i < 30; i += 1) sample.stanza('in', message('x'.repeat(32_000)));
  expect(sample.take(false)?.rows.length).toBeLessThan(10);
  sample.stanza('in', message('x'.repeat(1_000_000)));
  const [row] = sample.take(false)?.rows ?? [];
  expect(row).toMatchObject({ xml: null, title: 'message' });
  expect(row?.text.length).toBeLessThan(300);
});

it('tells when an expression costs too much to be tried on', () => {
  const filter = new ViewFilter('//a[count(//a) > 1]/b', {}, 'jabber:client', 100);
  const large = xml('message', { xmlns: 'jabber:client' }, ...Array.from({ length: 200 }, () => xml('a')));
  const sample = new Sample({ kinds: everything.kinds, filter });
  for (let i = 0; i < 10; i += 1) sample.stanza('in', large);
  expect(filter.isAside).toBe(true);
});
