import { EventEmitter } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { client } from '@xmpp/client';
import { component } from '@xmpp/component';
import { expect, it } from 'vitest';
import { ROOT } from './support/markdown.js';

const page = readFileSync(join(ROOT, 'docs/migrating-from-xmpp.js.md'), 'utf8').replaceAll(/^```[^]*?^```/gm, '');

/** Everything in code on the page, also where it stands behind an object. */
const named = new Set([...page.matchAll(/`([^`\n]+)`/g)].flatMap(([, code = '']) => code.match(/[a-z]\w*/gi) ?? []));

/** What an entity has, but for what is private and what all emitters have. */
function membersOf(entity: object): string[] {
  const names = new Set<string>();
  for (let part = entity; part !== Object.prototype; part = Object.getPrototypeOf(part) as object) {
    for (const name of Object.getOwnPropertyNames(part)) {
      if (!(name in EventEmitter.prototype) && /^[a-z]/.test(name)) names.add(name);
    }
  }
  return [...names].filter((name) => !/^constructor$|Listeners$|^hookOutgoing$/.test(name)).sort();
}

/** The events in the sources of the packages. */
function eventsOf(folders: readonly string[]): string[] {
  const found = new Set<string>();
  for (const folder of folders) {
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.js') || file.includes('test')) continue;
      const source = readFileSync(join(folder, file), 'utf8');
      for (const [, name = ''] of source.matchAll(/(?:\.emit|\._status)\(\s*"([a-z]+)"/g)) found.add(name);
    }
  }
  return [...found].sort();
}

it('every call, part and event of @xmpp/client and @xmpp/component is on the page', () => {
  const service = 'xmpp://example.org';
  const account = { domain: 'example.org', username: 'a', password: 'secret' };
  const entities = [client({ service, ...account }), component({ service, ...account })];
  const members = [...new Set(entities.flatMap(membersOf))];
  expect(members).toEqual(expect.arrayContaining(['start', 'stop', 'send', 'iqCaller', 'streamManagement']));
  expect(members.filter((name) => !named.has(name))).toEqual([]);

  const packages = join(ROOT, 'node_modules/@xmpp');
  const parts = ['client-core', 'component-core', 'reconnect', 'stream-management', 'middleware', 'iq'];
  const events = eventsOf(parts.map((part) => join(packages, part)));
  expect(events).toEqual(expect.arrayContaining(['online', 'reconnecting', 'ack']));
  // The parser tells its owner of the stream's end.
  expect([...events, 'stanza', 'nonza'].filter((name) => !named.has(name) && name !== 'end')).toEqual([]);
});
