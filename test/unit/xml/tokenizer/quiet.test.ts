import { expect, test } from 'vitest';
import { Binding, declareTheSame, namespaceOf } from '../../../../src/xml/tokenizer/namespace-scope.js';
import { recorder } from './recording.js';

// Between stanzas streams share what reads XML, and what is alike of their roots.
const HEADERS = {
  one: "<stream xmlns='urn:a' xmlns:p='urn:p' xmlns:q='urn:q'>",
  alike: "<stream xmlns='urn:a' xmlns:p='urn:p' xmlns:q='urn:q'>",
  'with another default': "<stream xmlns='urn:b' xmlns:p='urn:p' xmlns:q='urn:q'>",
  'with another namespace': "<stream xmlns='urn:a' xmlns:p='urn:r' xmlns:q='urn:q'>",
  'with another prefix': "<stream xmlns='urn:a' xmlns:o='urn:p' xmlns:q='urn:q'>",
  'with fewer prefixes': "<stream xmlns='urn:a' xmlns:q='urn:q'>",
  'with another name': "<other xmlns='urn:a' xmlns:p='urn:p' xmlns:q='urn:q'>",
};

test('quiet streams keep what their own root declared, and its name', () => {
  const streams = Object.values(HEADERS).map((header) => ({ header, recording: recorder() }));
  for (const { header, recording } of streams) recording.tokenizer.write(Buffer.from(header));
  for (let round = 1; round <= 2; round++) {
    for (const { header, recording } of streams) {
      const prefix = header.includes('xmlns:p') ? 'p' : header.includes('xmlns:o') ? 'o' : 'q';
      recording.tokenizer.write(Buffer.from(`<s><${prefix}:x/></s>`));
      const stanza = recording.elements.at(-1);
      const said = (name: string) => new RegExp(` ${name}='([^']*)'`).exec(header)?.[1];
      expect(recording.elements, header).toHaveLength(round);
      expect(stanza?.namespaceURI, header).toBe(said('xmlns'));
      expect(stanza?.firstElementChild?.namespaceURI, header).toBe(said(`xmlns:${prefix}`));
    }
  }
  for (const { header, recording } of streams) {
    recording.tokenizer.write(Buffer.from(`</${header.slice(1, header.indexOf(' '))}>`));
    expect(recording.error, header).toBeNull();
    expect(recording.ended, header).toBe(true);
  }
});

test('A-SIZE-1: scopes are compared however much a program lets them declare', () => {
  const scope = (first: string) => {
    let binding = new Binding(first, namespaceOf('u'), null);
    for (let i = 0; i < 100_000; i++) binding = new Binding(`p${i}`, namespaceOf('u'), binding);
    return binding;
  };
  expect(declareTheSame(scope('a'), scope('a'))).toBe(true);
  expect(declareTheSame(scope('a'), scope('b'))).toBe(false);
});
