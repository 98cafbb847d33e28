// What a page may have done: `POST /api/NAME`, with JSON.
import { setImmediate as immediate } from 'node:timers/promises';
import { isA, isArray, kindOf, reasonOf } from '../arguments/values.js';
import type { Broker } from '../broker/broker.js';
import { BrokerError, usageError } from '../errors.js';
import type { MatchedNode } from '../filters/xpath/node.js';
import { redacted } from '../stanza/redaction.js';
import { StanzaError } from '../stanza/stanza-error.js';
import { asStanza } from '../stanza/outbound.js';
import { isElement, type Element } from '../xml/element.js';
import { serialize } from '../xml/serializer.js';
import { describeStanza, line } from './described.js';
import type { ExplainReport, QueueReport, Denial, SendReport, TryReport } from './messages.js';
import { checkedPrefixes, checkedXPath } from './view.js';

/** Most stanzas of one try, and most matched nodes that are told of each. */
const MOST_STANZAS = 200;
const MOST_NODES = 20;
/** How long the answer of a request is waited for, in milliseconds. */
const ANSWER_MS = 15_000;
/** `nodeType` of an attribute. */
const ATTRIBUTE = 2;

/** The body of an order: JSON of somebody with the token, of which nothing is known. */
export type Body = Readonly<Record<string, unknown>>;

/** What may be ordered of a broker. */
export interface Order {
  /** Whether it changes something: never in a console that only reads. */
  readonly changes: boolean;
  run(broker: Broker, body: Body): object | Promise<object>;
}

export const ORDERS: Readonly<Record<string, Order>> = {
  send: { changes: true, run: send },
  queue: { changes: true, run: changeQueue },
  try: { changes: false, run: tryXPath },
  explain: { changes: false, run: explain },
};

/** Sends a stanza. A request is waited for, so that its answer can be shown beside it. */
async function send(broker: Broker, { xml }: Body): Promise<SendReport> {
  const stanza = asStanza(textOf(xml, 'xml'), broker.config.xmlns);
  const type = stanza.getAttribute('type');
  const asks = stanza.localName === 'iq' && (type === 'get' || type === 'set');
  if (!asks || broker.state !== 'ready') {
    const ticket = broker.output(stanza);
    await immediate();
    return { state: ticket.held ? 'held' : ticket.state, answer: null };
  }
  try {
    return { state: 'answered', answer: shown(await broker.request(stanza, { timeout: ANSWER_MS })) };
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    return { state: 'refused', answer: shown(error.stanza) };
  }
}

/** Sends or drops held stanzas: those that are named, and no other. */
function changeQueue({ queue }: Broker, { action, ids }: Body): QueueReport {
  if (!isArray(ids) || ids.some((id) => !Number.isSafeInteger(id))) {
    throw usageError('USAGE_CONSOLE', `ids must be a list of numbers, not ${kindOf(ids)}`);
  }
  const wanted = new Set<unknown>(ids);
  const select = ({ id }: { readonly id: number }): boolean => wanted.has(id);
  if (action === 'send') return { done: queue.send(select).length };
  if (action === 'drop') return { done: queue.drop(select).length };
  throw usageError('USAGE_CONSOLE', `action must be 'send' or 'drop', not ${kindOf(action)}`);
}

/** Whether an expression matches stanzas, and why not. */
function tryXPath({ filters, config }: Broker, { xpath, namespaces, stanzas }: Body): TryReport {
  if (!isArray(stanzas) || stanzas.length > MOST_STANZAS) {
    const text = `stanzas must be a list of at most ${String(MOST_STANZAS)}, not ${kindOf(stanzas)}`;
    throw usageError('USAGE_CONSOLE', text);
  }
  const expression = checkedXPath(xpath);
  const options = { namespaces: checkedPrefixes(namespaces ?? {}) };
  const { warnings, reason, keys } = filters.explainExpression(expression, options);
  const results = stanzas.map((xml) => {
    const stanza = redacted(asStanza(textOf(xml, 'a stanza'), config.xmlns));
    const { matches, nodes, why } = filters.test(expression, stanza, options);
    return { matches, nodes: nodes.slice(0, MOST_NODES).map(nodeInWords), why };
  });
  return { results, warnings, reason, keys };
}

/** How the filters of an event are found, and what is wrong with them. */
function explain({ filters }: Broker, { index, event }: Body): ExplainReport {
  let place = 0;
  for (const filter of filters.size === 0 ? [] : filters) {
    if (place === index && line(filter.event) === event) {
      return {
        filters: filters.explain(filter.event).map(({ expression, reason, keys, warnings, stanzas }) => ({
          expression,
          reason,
          keys,
          warnings,
          stanzas,
        })),
      };
    }
    place += 1;
  }
  throw usageError('USAGE_CONSOLE', 'the filter is not there any more');
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw usageError('USAGE_CONSOLE', `${name} must be a text, not ${kindOf(value)}`);
}

function shown(stanza: Element): string {
  return describeStanza(stanza).xml ?? `<${stanza.nodeName}/> is too long to be shown`;
}

/** A node that an expression found: an element, an attribute, or text. */
function nodeInWords(node: MatchedNode): string {
  if (isElement(node)) return line(serialize(node));
  if (node.nodeType === ATTRIBUTE) return line(`${node.nodeName}='${node.textContent}'`);
  return line(node.textContent ?? '');
}

/** An error, for people. */
export function refusalOf(error: unknown): Denial {
  if (isA(error, BrokerError)) return { code: error.code, error: error.message, offset: error.offset ?? null };
  return { code: 'failed', error: reasonOf(error), offset: null };
}
