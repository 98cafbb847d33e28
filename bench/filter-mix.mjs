import { random, stanzas } from './corpus.mjs';

/** Of 20 filters in a row 7 are for a JID, 3 for a namespace, 2 each for an iq id, a room and a word, 1 for each other kind. */
function mixedFilter(i, next) {
  const int = (n) => Math.floor(next() * n);
  const pick = (list) => list[int(list.length)];
  const kind = i % 20;
  const name = pick(['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'judy']);
  const host = pick(['example.org', 'jabber.example.net', 'chat.example.com', 'xmpp.example']);
  const resource = pick(['phone', 'desktop.4f2a', 'gajim.X3K9', 'Conversations.aB3d', 'web-client-77123']);
  // a few are people who write, the others are not
  const user = i % 25 === 0 && i < 10_000 ? name : `${name}${i}`;
  if (kind < 4) return [`/message[@from='${user}@${host}/${resource}']`];
  if (kind < 7) return [`/presence[@from='${user}@${host}/${resource}']`];
  if (kind < 9) return [`/iq/q:query`, { namespaces: { q: `urn:example:feature:${i}` } }];
  if (kind < 10) return [`/message/x:event`, { namespaces: { x: `urn:example:event:${i}` } }];
  if (kind < 12) return [`/iq[@type='result' and @id='${pick(['a', 'b', 'c'])}${i}']`];
  if (kind < 14) return [`/message[starts-with(@from,'room${i}@muc.example.org')]`];
  if (kind < 16) return [`/message[contains(body,'${pick(['urgent', 'meeting', 'word', 'keyword', 'topic'])} ${i}')]`];
  if (kind < 17) return [`/message[@to='${user}@echo.example.org' and @type='chat']`];
  if (kind < 18) {
    return [
      `/message/e:event/e:items[@node='node${i}']`,
      { namespaces: { e: 'http://jabber.org/protocol/pubsub#event' } },
    ];
  }
  if (kind < 19) return [`//*[local-name()='element${i}' and namespace-uri()='urn:example:${i}']`];
  return [`/message[body and not(d:delay) and @id='m${i}']`, { namespaces: { d: 'urn:xmpp:delay' } }];
}

/** Adds filters of mixed kinds to a set, the same for a seed. */
export function addMixed(set, count, seed = 7) {
  const next = random(seed);
  for (let i = 0; i < count; i += 1) {
    const [expression, options] = mixedFilter(i, next);
    set.add(`filter ${i}`, expression, options);
  }
}

/** Who sent a stanza of the corpus, and its id; null for one without. */
function marksOf(text) {
  const from = /^<\w+[^>]* from='([^']*)'/.exec(text)?.[1];
  const id = /^<\w+[^>]* id='([^']*)'/.exec(text)?.[1];
  return from === undefined || id === undefined ? null : { from, id };
}

/** One in 33 matches a stanza of the corpus or some; the others ask for longer paths, for more words, and by variables. */
function otherFilter(i, next, marks) {
  const pick = (list) => list[Math.floor(next() * list.length)];
  const word = pick(['server', 'release', 'please', 'tomorrow', 'the']);
  const name = pick(['alice', 'bob', 'carol', 'dave', 'erin']);
  const namespaces = { e: 'http://jabber.org/protocol/pubsub#event', q: 'http://jabber.org/protocol/disco#items' };
  if (i % 33 === 0) return ['/*[@from=$from and @id=$id]', { variables: pick(marks) }];
  switch (i % 8) {
    case 0:
      return [`/message[contains(body,$word) and contains(body,'number ${i}')]`, { variables: { word } }];
    case 1:
      return [`/message/e:event/e:items/e:item/*[@id='${i}']`, { namespaces }];
    case 2:
      return [
        `/iq/q:query/q:item[@jid=$jid and @node='n${i}']`,
        { namespaces, variables: { jid: `${name}@a.example` } },
      ];
    case 3:
      return [
        `/presence[starts-with(@from,$room) and contains(status,'${word} ${i}')]`,
        { variables: { room: 'room@' } },
      ];
    case 4:
      return [
        `/message[@from=$from and contains(body,'${word}')]`,
        { variables: { from: `${name}${i}@example.org/x` } },
      ];
    case 5:
      return [`//e:items[@node=$node]/e:item[@id='${i}']`, { namespaces, variables: { node: `node${i}` } }];
    case 6:
      return [`/message[contains(@to,'user${i}') or contains(body,'word ${i}')]`];
    default:
      return [`/iq[@type='result']/*/*/*[contains(@name,$name)]`, { variables: { name: `${name} ${i}` } }];
  }
}

/** Another mix: longer paths, more `contains()`, more variables, and 3 % of the filters match something. */
export function addOther(set, count, seed = 11) {
  const next = random(seed);
  const marks = stanzas()
    .map(marksOf)
    .filter((one) => one !== null);
  for (let i = 0; i < count; i += 1) {
    const [expression, options] = otherFilter(i, next, marks);
    set.add(`filter ${i}`, expression, options);
  }
}
