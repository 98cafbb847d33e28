/** The filters of the benchmarks, as arguments of `filters.add`. */
import { addMixed, addOther } from './filter-mix.mjs';

/** Ten filters as people write them; together they match about 2.4 times per stanza of the corpus. */
const TYPICAL = [
  ['/message'],
  [`/message[@type='chat']`],
  ['//body'],
  [`/iq[@type='get']/q:query`, { namespaces: { q: 'http://jabber.org/protocol/disco#items' } }],
  ['/message[body and not(d:delay)]', { namespaces: { d: 'urn:xmpp:delay' } }],
  [`/presence[starts-with(@from,'room@muc')]`],
  [`//*[local-name()='origin-id' and namespace-uri()='urn:xmpp:sid:0']`],
  [`/iq[@type='result' and @id='a12']`],
  ['count(/message/*)>3'],
  [`contains(string(/message/body),'urgent')`],
];

/** `typical`; a number of filters of mixed kinds, most of which nothing matches; or `other 100`, so many of another mix. */
export function filterSet(which) {
  if (which === 'typical') return TYPICAL.map(([expression, options], i) => [`filter ${i}`, expression, options]);
  const list = [];
  const set = { add: (...filter) => list.push(filter) };
  if (typeof which === 'number') addMixed(set, which);
  else addOther(set, Number(which.replace('other ', '')));
  return list;
}

/** Filters that begin alike, and as many of the stanzas do: for texts, senders and ids. */
export function alike(count) {
  const words = ['the', 'and', 'meeting', 'server', 'release'];
  const names = ['alice', 'bob', 'carol', 'dave', 'erin'];
  return Array.from({ length: count }, (_, i) => {
    const at = Math.floor(i / 3) % words.length;
    const kinds = [
      `/message[contains(body,'${words[at]} word ${i}')]`,
      `/presence[starts-with(@from,'${names[at]}@example.org/${i}')]`,
      `//item[starts-with(@jid,'${names[at]}@jabber.example.net/${i}')]`,
    ];
    return [`filter ${i}`, kinds[i % kinds.length]];
  });
}

/**
 * The same filters as PCJ can evaluate them: it looks from the detached stanza, and knows no prefixes, so a name in a
 * namespace is told by the declaration that is in force at the element.
 */
export function forPcj(filters) {
  return filters.map(([, expression, { namespaces = {} } = {}]) => {
    let path = expression.replace(/^\/(?!\/)/, 'self::');
    for (const [prefix, uri] of Object.entries(namespaces)) {
      path = path.replaceAll(
        new RegExp(`\\b${prefix}:(\\w+)`, 'g'),
        `*[local-name()='$1' and namespace::*[.='${uri}']]`,
      );
    }
    return path;
  });
}

/** What slixmpp's path matcher takes: a namespace for each filter, looked for in the child of a message. */
export const forSlixmpp = (filters) => filters.map((_, i) => `urn:example:event:${i}`);
