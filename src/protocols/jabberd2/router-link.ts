// What happens on a ready link to a jabberd2 router: its component protocol behind <bind/>.
import { BrokerError, usageError } from '../../errors.js';
import type { Element } from '../../xml/element.js';
import { isStanzaKind } from '../../stanza/kinds.js';
import { NS } from '../../xml/namespaces.js';
import type { DialectLink } from '../dialect.js';
import { bindError, unbindElement, type NameOptions } from './bind.js';
import { bounceOf, domainOf, envelope, isRouterElement, takeStanza } from './route.js';

/** A name whose binding or unbinding waits for its answer. */
interface Asked {
  readonly verb: 'bind' | 'unbind';
  readonly name: string;
  readonly takesDefault: boolean;
}

/** Most names whose answers are awaited: an answer that is later than that is no news. */
const ASKED_LIMIT = 1_000;

/** A name that nobody has (RFC 6761 §6.4). */
const NOBODY = 'nobody.invalid';

const links = new WeakMap<DialectLink, RouterLink>();

/** The state of one link: which names are bound on it, and what waits for an answer of the router. */
export class RouterLink {
  readonly #link: DialectLink;
  readonly #raw: boolean;
  /** The names bound here, and whether each of them also receives what nobody has bound. */
  readonly #names = new Map<string, boolean>();
  readonly #asked = new Map<string, Asked>();
  #throttles = 0;
  #inboundHeld = false;
  #outboundHeld = false;

  private constructor(link: DialectLink, options: NameOptions & { raw?: boolean | undefined }) {
    this.#link = link;
    this.#raw = options.raw ?? false;
    this.#names.set(link.jid.domain, options.default ?? false);
  }

  /** The state that belongs to a link; made when it is first asked for. */
  static of(link: DialectLink, options: NameOptions & { raw?: boolean | undefined }): RouterLink {
    let state = links.get(link);
    if (state === undefined) {
      state = new RouterLink(link, options);
      links.set(link, state);
    }
    return state;
  }

  /**
   * An element as it goes to the router.
   * @throws BrokerError `USAGE_COMPONENT_ADDRESS` for a stanza from a name that is neither bound here nor asked for
   */
  wrap(element: Element): Element {
    if (this.#raw || isRouterElement(element)) {
      this.#note(element);
      return element;
    }
    const from = domainOf(element.getAttribute('from'));
    if (from !== null && this.#maySendFrom(from)) return envelope(element, from);
    // Who receives for everybody also answers for everybody.
    if (this.#takesDefault()) return envelope(element, this.#link.jid.domain);
    throw usageError(
      'USAGE_COMPONENT_ADDRESS',
      `<${element.nodeName}/> has the 'from' ${JSON.stringify(element.getAttribute('from'))}, but only ${[...this.#names.keys()].join(', ')} can be sent from here; the router would return it`,
    );
  }

  /**
   * The stanza that an element from the router brings, or undefined when it brings none.
   * @throws BrokerError `ROUTE_REFUSED`, `STREAM_UNEXPECTED`; nothing is delivered then
   */
  unwrap(element: Element): Element | undefined {
    if (element.namespaceURI !== NS.JABBERD2_COMPONENT) {
      if (isStanzaKind(element.localName)) throw unexpected(element);
      return element;
    }
    switch (element.localName) {
      case 'route':
        return this.#raw ? element : this.#route(element);
      case 'presence':
        this.#presence(element);
        return undefined;
      case 'throttle':
        this.#throttle();
        return undefined;
      case 'bind':
      case 'unbind':
        this.#answered(element);
        return undefined;
      default:
        throw unexpected(element);
    }
  }

  /**
   * The question for a sign of life: a name that is not bound is given back, and the router says that it is none. It holds
   * back the answer when it was asked to hold what is for us; then there is no question.
   */
  probe(id: string): Element | null {
    return this.#inboundHeld || this.#throttles > 0 ? null : unbindElement(NOBODY, id);
  }

  #route(route: Element): Element | undefined {
    const stanza = route.firstElementChild;
    const code = route.getAttribute('error');
    if (code !== null) {
      // Delivering the error is not answering: nothing goes back to the router, which would bounce it for ever.
      const error = stanza === null ? null : bounceOf(route, stanza, code);
      this.#link.publish('PCJ_ROUTEFAIL', { code, route, stanza });
      return error ?? undefined;
    }
    const type = route.getAttribute('type');
    if (type !== null) {
      this.#link.publish('PCJ_ROUTE', { type, route, stanza });
      return undefined;
    }
    return takeStanza(route, (domain) => this.#names.has(domain) || this.#takesDefault());
  }

  /** A name appeared at the router, or is gone from it. */
  #presence(presence: Element): void {
    const name = presence.getAttribute('from');
    if (name === null) throw unexpected(presence);
    this.#link.publish('PCJ_DOMAIN', { name, online: presence.getAttribute('type') !== 'unavailable' });
  }

  /** The element has no more to say than its name: each one turns throttling on or off, for whoever asked. */
  #throttle(): void {
    if (this.#throttles > 0) {
      this.#throttles -= 1;
      this.#inboundHeld = !this.#inboundHeld;
      this.#link.publish('PCJ_THROTTLE', { throttled: this.#inboundHeld, side: 'inbound' });
    } else {
      this.#outboundHeld = !this.#outboundHeld;
      this.#link.publish('PCJ_THROTTLE', { throttled: this.#outboundHeld, side: 'outbound' });
      this.#link.hold(this.#outboundHeld);
    }
  }

  #answered(answer: Element): void {
    const id = answer.getAttribute('id') ?? '';
    const asked = this.#asked.get(id);
    if (asked?.verb !== answer.localName) throw unexpected(answer);
    this.#asked.delete(id);
    const { verb, name } = asked;
    const bound = verb === 'bind';
    const code = answer.getAttribute('error');
    if (code !== null) {
      this.#link.publish('PCJ_NAME', { name, bound, error: bindError(verb, name, code).with({ phase: 'ready' }) });
      return;
    }
    if (bound) this.#names.set(name, asked.takesDefault);
    else this.#names.delete(name);
    this.#link.publish('PCJ_NAME', { name, bound });
  }

  /** Remembers what the router will answer. */
  #note(element: Element): void {
    const { localName } = element;
    if (localName === 'throttle') this.#throttles += 1;
    if (localName !== 'bind' && localName !== 'unbind') return;
    const name = element.getAttribute('name') ?? '';
    if (this.#asked.size >= ASKED_LIMIT)
      for (const oldest of this.#asked.keys()) {
        this.#asked.delete(oldest);
        break;
      }
    this.#asked.set(element.getAttribute('id') ?? '', {
      verb: localName,
      name: domainOf(name) ?? name,
      takesDefault: element.children.some((child) => child.localName === 'default'),
    });
  }

  /** The router takes what it gets in order: a name may be used as soon as its <bind/> is on the way. */
  #maySendFrom(name: string): boolean {
    if (this.#names.has(name)) return true;
    for (const asked of this.#asked.values()) if (asked.verb === 'bind' && asked.name === name) return true;
    return false;
  }

  #takesDefault(): boolean {
    for (const takesDefault of this.#names.values()) if (takesDefault) return true;
    return false;
  }
}

function unexpected(element: Element): BrokerError {
  return new BrokerError('STREAM_UNEXPECTED', `the router sent <${element.nodeName}/>, which does not belong here`, {
    layer: 'stream',
    origin: 'peer',
    phase: 'ready',
  });
}
