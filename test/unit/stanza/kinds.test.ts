import { expect, test } from 'vitest';
import { isStanza } from '../../../src/stanza/kinds.js';
import { CONTENT_NAMESPACES } from '../../../src/xml/namespaces.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';

test('S-STREAM-22: a stanza is a message, presence or iq of a content namespace', () => {
  for (const namespace of CONTENT_NAMESPACES) expect(isStanza(parse(`<message xmlns='${namespace}'/>`))).toBe(true);
  expect(isStanza(parse("<message xmlns='urn:x'/>"))).toBe(false);
  expect(isStanza(parse('<message/>'))).toBe(false);
  expect(isStanza(parse("<other xmlns='jabber:client'/>"))).toBe(false);
});
