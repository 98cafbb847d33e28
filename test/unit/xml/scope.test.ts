import { expect, test } from 'vitest';
import { serialize, type SerializeScope } from '../../../src/xml/serializer.js';
import { xml } from '../../../src/xml/builder.js';

test.each([
  { prefixes: null },
  { prefixes: 'p' },
  { prefixes: { p: 1 } },
  { prefixes: { p: null } },
  { defaultNamespace: 1 },
  { defaultNamespace: null },
])('a scope that is none: %j', (scope) => {
  expect(() => serialize(xml('a'), scope as unknown as SerializeScope)).toThrow(
    expect.objectContaining({ code: 'USAGE_SCOPE' }),
  );
});
