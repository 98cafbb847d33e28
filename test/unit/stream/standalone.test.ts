import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NS } from '../../../src/xml/namespaces.js';
import { serialize } from '../../../src/xml/serializer.js';
import { xml } from '../../../src/xml/builder.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { standalone } from '../../../src/stream/standalone.js';

const SCOPE = { defaultNamespace: NS.CLIENT, prefixes: { stream: NS.STREAM } };

describe('modern 5.3: an element that stands alone', () => {
  const name = fc.constantFrom('message', 'a', 'stream', 'xmlns1');
  const text = fc.oneof(
    fc.constantFrom("xmlns='", ' xmlns=', 'stream:', "'", '<a>', '/>'),
    fc.string({ maxLength: 8 }),
  );
  const value = text.filter((one) => !/[^\t\n\r -\ud7ff]/u.test(one));
  const prefixes = fc.constantFrom('', 'p:', 'stream:', 'q-1:');
  const namespaces = fc.constantFrom(undefined, NS.CLIENT, NS.STREAM, 'urn:x', "urn:'<&>");

  it('means what it meant in the stream, whatever it is', () => {
    fc.assert(
      fc.property(
        prefixes,
        name,
        namespaces,
        fc.dictionary(fc.constantFrom('id', 'to', 'from', 'x'), value),
        value,
        prefixes,
        namespaces,
        (prefix, local, namespace, attributes, content, inner, innerNamespace) => {
          const declared = (given: string, uri: string | undefined) => {
            if (given === '') return uri === undefined ? {} : { xmlns: uri };
            return { [`xmlns:${given.slice(0, -1)}`]: given === 'stream:' ? NS.STREAM : (uri ?? 'urn:y') };
          };
          const child = xml(inner + local, { ...declared(inner, innerNamespace) }, content);
          const element = xml(prefix + local, { ...declared(prefix, namespace), ...attributes }, child, content);
          const alone = standalone(serialize(element, SCOPE), NS.CLIENT);
          const inStream = parse(
            `<s xmlns='${NS.CLIENT}' xmlns:stream='${NS.STREAM}'>${serialize(element, SCOPE)}</s>`,
          );
          const expected = inStream.firstElementChild;
          expect(expected).not.toBeNull();
          // What both mean, in one spelling.
          expect(serialize(parse(alone), SCOPE)).toBe(serialize(expected ?? element, SCOPE));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it.each(['', ' ', 'hello', '</stream:stream>', "<?xml version='1.0'?>", '<!DOCTYPE a>', '<'])(
    'what is no element stays as it is: %s',
    (text) => {
      expect(standalone(text, NS.CLIENT)).toBe(text);
    },
  );
});
