// Stanza errors: RFC 6120 §8.3.
import { isA, kindOf } from '../arguments/values.js';
import { BrokerError, usageError } from '../errors.js';
import { xml } from '../xml/builder.js';
import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import {
  isStanzaErrorCondition,
  isStanzaErrorType,
  type StanzaErrorCondition,
  type StanzaErrorType,
} from './conditions.js';
import { errorReply, type ErrorReplyOptions } from './replies.js';

/** Conditions of the numeric codes of old servers (XEP-0086). */
const OLD_CODES: Readonly<Record<string, string>> = {
  302: 'redirect',
  400: 'bad-request',
  401: 'not-authorized',
  402: 'registration-required',
  403: 'forbidden',
  404: 'item-not-found',
  405: 'not-allowed',
  406: 'not-acceptable',
  407: 'registration-required',
  408: 'remote-server-timeout',
  409: 'conflict',
  500: 'internal-server-error',
  501: 'feature-not-implemented',
  502: 'remote-server-not-found',
  503: 'service-unavailable',
  504: 'remote-server-timeout',
  510: 'service-unavailable',
};

/** The answer to a request was an error. `condition` and `type` are the stanza error's, `stanza` is the whole answer. */
export class StanzaError extends BrokerError {
  override readonly name: string = 'StanzaError';
  readonly stanza: Element;
  readonly type: StanzaErrorType;

  /**
   * Reads the error of a stanza of type `error`; an unknown condition counts as `undefined-condition`. Or makes the error
   * that a handler throws to answer with: `new StanzaError('item-not-found', { text: 'no such room' })`.
   * @throws BrokerError `USAGE_ELEMENT`, `USAGE_CONDITION`
   */
  constructor(stanza: Element | StanzaErrorCondition, options: ErrorReplyOptions = {}) {
    if (typeof stanza === 'string') stanza = errorReply(xml('iq', { type: 'get' }), stanza, options);
    if (!isA(stanza, Element)) {
      throw usageError('USAGE_ELEMENT', `a StanzaError is made of a stanza or a condition, not of ${kindOf(stanza)}`);
    }
    const error = stanza.children.find(
      (child) => child.localName === 'error' && child.namespaceURI === stanza.namespaceURI,
    );
    const children = error?.children ?? [];
    const found = children.find((child) => child.namespaceURI === NS.STANZAS && child.localName !== 'text');
    const text = children.find((child) => child.namespaceURI === NS.STANZAS && child.localName === 'text');
    const app = children.find((child) => child.namespaceURI !== NS.STANZAS);
    const code = error?.getAttribute('code') ?? null;
    const named = found?.localName ?? (code === null ? undefined : OLD_CODES[code]);
    const condition = isStanzaErrorCondition(named) ? named : 'undefined-condition';
    const given = error?.getAttribute('type') ?? null;
    const type = isStanzaErrorType(given) ? given : 'cancel';
    const words = text?.textContent ?? (found === undefined && children.length === 0 ? (error?.textContent ?? '') : '');
    const lang = text?.getAttribute('xml:lang') ?? null;
    super(
      'STANZA_ERROR',
      `the answer to <${stanza.localName}/> ${stanza.getAttribute('id') ?? ''} was the error ${condition} (${type})`,
      {
        layer: 'stanza',
        origin: 'peer',
        phase: 'ready',
        condition,
        retryable: type === 'wait',
        ...(words === '' ? {} : { text: words }),
        ...(lang === null ? {} : { lang }),
        ...(app === undefined ? {} : { appCondition: { ns: app.namespaceURI ?? '', name: app.localName } }),
        sent: 'acked',
      },
    );
    this.stanza = stanza;
    this.type = type;
  }

  /** The error as the answer to a request or another stanza. @throws BrokerError `USAGE_REPLY` */
  replyTo(stanza: Element): Element {
    const error = this.stanza.children.find(({ localName }) => localName === 'error');
    const appCondition = error?.children.find(({ namespaceURI }) => namespaceURI !== NS.STANZAS);
    return errorReply(stanza, isStanzaErrorCondition(this.condition) ? this.condition : 'undefined-condition', {
      type: this.type,
      ...(this.text === undefined ? {} : { text: this.text }),
      ...(this.lang === undefined ? {} : { lang: this.lang }),
      ...(appCondition === undefined ? {} : { appCondition }),
    });
  }
}
