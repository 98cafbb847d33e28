import { describe, expect, it } from 'vitest';
import { binding, readBindOffer } from '../../../../src/protocols/features/bind2.js';
import { xml, type XmlChild } from '../../../../src/xml/builder.js';
import { NS } from '../../../../src/xml/namespaces.js';

const inline = (...children: XmlChild[]) => xml('inline', { xmlns: NS.SASL2 }, ...children);
const offer = (...children: XmlChild[]) => inline(xml('bind', { xmlns: NS.BIND2 }, ...children));

describe('an offer of Bind 2', () => {
  it.each([
    ['nothing inline', null],
    ['nothing of it', inline()],
    ['the binding of before', inline(xml('bind', { xmlns: NS.BIND }))],
  ])('modern 2.1: there is none where there is %s', (_what, given) => {
    expect(readBindOffer(given)).toBeNull();
  });

  it.each([
    ['no list', offer(), []],
    ['an empty list', offer(xml('inline')), []],
    ['a list of another namespace', offer(xml('inline', { xmlns: 'urn:x' }, xml('feature', { var: NS.SM }))), []],
    [
      'a feature twice',
      offer(xml('inline', {}, xml('feature', { var: NS.SM }), xml('feature', { var: NS.SM }))),
      [NS.SM],
    ],
    ['a feature without a name', offer(xml('inline', {}, xml('feature'), xml('feature', { var: NS.SM }))), ['', NS.SM]],
  ])('modern 2.1: with %s', (_what, given, features) => {
    expect([...readBindOffer(given)!]).toEqual(features);
  });
});

it('modern 2.2: what is asked for has a tag, and stream management where that is wanted', () => {
  const asked = (management: { resume: boolean } | null) => binding({ tag: 'desk', management }).toString();
  const begin = `<bind xmlns='${NS.BIND2}'><tag>desk</tag>`;
  expect(asked(null)).toBe(`${begin}</bind>`);
  expect(asked({ resume: false })).toBe(`${begin}<enable xmlns='${NS.SM}'/></bind>`);
  expect(asked({ resume: true })).toBe(`${begin}<enable xmlns='${NS.SM}' resume='true'/></bind>`);
});
