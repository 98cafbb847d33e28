// What we are and can do: XEP-0030, and XEP-0115 for clients.
import { isText, listOf, must, text } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { isRecord } from '../arguments/values.js';
import { usageError } from '../errors.js';
import { StanzaError } from '../stanza/stanza-error.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { capsHash } from './caps.js';
import type { Identity } from './caps.js';

/** One thing that belongs to us. */
export interface DiscoItem {
  readonly jid: string;
  readonly node?: string | undefined;
  readonly name?: string | undefined;
}

/** Options of {@link serveDisco}. */
export interface DiscoOptions {
  /** What we are, one or more, from the registry of categories and types (XEP-0030 §3.1): `{ category: 'client', type: 'bot' }`. Needed. */
  identities: readonly Identity[];
  /** Features beside those that `broker.answer` has handlers for and those of service discovery itself. Default: none. */
  features?: readonly string[] | undefined;
  /** What belongs to us, or a function that gives it each time. Default: nothing. */
  items?: readonly DiscoItem[] | (() => readonly DiscoItem[]) | undefined;
  /** A URI of the program, such as `https://example.org/bot`: what others know its capabilities by (XEP-0115 §4). Default none. */
  node?: string | undefined;
}

const identity = must(
  "like { category: 'client', type: 'bot' }",
  (value) => isRecord(value) && isText(value['category']) && isText(value['type']),
);
const item = must('like { jid, node, name }', (value) => isRecord(value) && isText(value['jid']));

const OPTIONS: OptionTable<DiscoOptions> = {
  checks: {
    identities: listOf("one or more such as { category: 'client', type: 'bot' }", identity, 1),
    features: listOf('namespaces', text),
    items: (value) => (typeof value === 'function' ? null : listOf('{ jid, node, name }', item)(value)),
    node: must("a string that is not empty, without '#'", (value) => isText(value) && !value.includes('#')),
  },
  rule: (_right, given) => (given.has('identities') ? [] : ['identities is missing: say what this program is']),
};

/** What {@link serveDisco} needs of a broker; a `Broker` has it. */
export interface DiscoBroker {
  readonly answers: readonly string[];
  answer(
    type: 'get',
    target: { namespace: string; name: string },
    handler: (payload: Element) => Element,
  ): { cancel(): void };
}

/** Service discovery that is served. */
export interface Disco extends Disposable {
  /** All features as of now, sorted. */
  readonly features: readonly string[];
  /**
   * The `<c/>` for a client's presence, so that others need not ask (XEP-0115 §4):
   * `broker.output(xml('presence', {}, disco.caps()))`. Send it again when features have changed.
   * @throws BrokerError `USAGE_DISCO` without the option `node`
   */
  caps(): Element;
  /** Stops answering. */
  cancel(): void;
}

/**
 * Answers service discovery (XEP-0030): what we are, what we can do, what belongs to us. Namespaces that
 * `broker.answer` has handlers for are features by themselves, from then on.
 * @throws BrokerError `USAGE_DISCO`, and `USAGE_ANSWER_TAKEN` if something else answers it
 */
export function serveDisco(broker: DiscoBroker, options: DiscoOptions): Disco {
  const given = readOptions('USAGE_DISCO', 'serveDisco()', options, OPTIONS);
  const { identities, features = [], items = [], node = null } = given;
  const all = (): string[] =>
    [
      ...new Set([NS.DISCO_INFO, NS.DISCO_ITEMS, ...(node === null ? [] : [NS.CAPS]), ...features, ...broker.answers]),
    ].sort();
  const info = (query: Element): Element => {
    const asked = query.getAttribute('node');
    if (asked !== null && (node === null || !asked.startsWith(`${node}#`))) throw new StanzaError('item-not-found');
    return xml(
      'query',
      { xmlns: NS.DISCO_INFO, node: asked },
      identities.map(({ category, type, name, lang }) => xml('identity', { category, type, name, 'xml:lang': lang })),
      all().map((name) => xml('feature', { var: name })),
    );
  };
  const list = (query: Element): Element => {
    if (query.hasAttribute('node')) throw new StanzaError('item-not-found');
    const known = typeof items === 'function' ? items() : items;
    return xml(
      'query',
      { xmlns: NS.DISCO_ITEMS },
      known.map((item) => xml('item', { ...item })),
    );
  };
  const served = [broker.answer('get', { namespace: NS.DISCO_INFO, name: 'query' }, info)];
  try {
    served.push(broker.answer('get', { namespace: NS.DISCO_ITEMS, name: 'query' }, list));
  } catch (error) {
    served[0]?.cancel();
    throw error;
  }
  const cancel = (): void => {
    for (const answer of served) answer.cancel();
  };
  return {
    get features() {
      return all();
    },
    caps() {
      if (node === null) throw usageError('USAGE_DISCO', 'caps() needs serveDisco({ node }): a URI of the program');
      return xml('c', { xmlns: NS.CAPS, hash: 'sha-1', node, ver: capsHash(identities, all()) });
    },
    cancel,
    [Symbol.dispose]: cancel,
  };
}
