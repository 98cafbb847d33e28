import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROOT } from './support/markdown.js';

/** Texts in capitals that are no codes of errors, by what they are. */
const OTHERS: readonly RegExp[] = [
  /^PCJ_/, // status events
  /^JABBERD\d+_COMPONENT$/, // dialects
  /^(XMPP_PASSWORD|XMPP_PEER_PASSWORD|NO_COLOR)$/, // variables of the environment
  /^FORM_TYPE$/, // the field that says what a form is about
  /^MODULE_NOT_FOUND$/, // what Node calls a package that is not there
  // what Node and OpenSSL call the faults of a certificate
  /^(CERT|CRL|ERR|UNABLE|DEPTH_ZERO|SELF_SIGNED|HOSTNAME|INVALID|PATH_LENGTH|ERROR_IN)_/,
];

const errorsPage = readFileSync(`${ROOT}/docs/errors.md`, 'utf8');
const documented = new Set(
  [...errorsPage.matchAll(/^\| (?<codes>`[A-Z0-9_]+`.*?) \|/gm)].flatMap(
    ({ groups: { codes = '' } = {} }) => codes.match(/[A-Z0-9_]+/g) ?? [],
  ),
);

const used = new Set(
  readdirSync(`${ROOT}/src`, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => codesIn(readFileSync(`${ROOT}/src/${file}`, 'utf8'))),
);

function codesIn(source: string): string[] {
  const code = source.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '');
  const texts = [...code.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|ABORTED)'/g)].map(([, text = '']) => text);
  return texts.filter((text) => !OTHERS.some((other) => other.test(text)));
}

describe('docs/errors.md', () => {
  it('has every code of an error (what is none has to be named in this test)', () => {
    expect([...used].filter((code) => !documented.has(code)).sort()).toEqual([]);
  });

  it('has no code that does not exist', () => {
    expect([...documented].filter((code) => !used.has(code)).sort()).toEqual([]);
  });
});
