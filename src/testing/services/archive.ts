// What was said, to be read again: XEP-0313, with the pages of XEP-0059 and the ids of XEP-0359.
import type { JID } from '../../jid/jid.js';
import { newId } from '../../stanza/id.js';
import { reply } from '../../stanza/replies.js';
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { accountOf, jidOf } from '../stanza.js';
import { dataForm, submitted } from './data-form.js';
import type { Host } from './host.js';
import { refusal } from './refusal.js';

/** Most messages of an account; the oldest go. */
const MESSAGES_LIMIT = 1000;
/** Most messages of a page. */
const PAGE_LIMIT = 50;

const NOT_KEPT = ['no-store', 'no-permanent-store', 'no-storage'];

interface Archived {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The other one. */
  readonly with: JID;
  readonly message: Element;
}

/** The archives of all accounts. */
export class Archives {
  readonly #host: Host;
  readonly #archives = new Map<string, Archived[]>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** A message of an account, which it sends or gets. @returns the id it has in the archive, or null when it is not kept */
  keep(own: JID, other: JID, message: Element): string | null {
    const account = accountOf(own);
    if (!isWorth(message) || !this.#host.hasAccount(account)) return null;
    const archive = this.#archives.get(account) ?? [];
    const id = newId();
    archive.push({ id, at: Date.now(), with: other, message: message.clone() });
    if (archive.length > MESSAGES_LIMIT) archive.shift();
    this.#archives.set(account, archive);
    return id;
  }

  /** A message for an account. @returns it as it is delivered: with the id it has in the archive */
  incoming(message: Element, to: JID): Element {
    const by = to.bare().toString();
    const from = jidOf(message.getAttribute('from'));
    const isOurs = (child: Element) => child.is('stanza-id', NS.STANZA_ID) && child.getAttribute('by') === by;
    // It is delivered once more, because its first recipient went.
    const known = message.children.find(isOurs)?.getAttribute('id');
    if (known != null && this.#archives.get(accountOf(to))?.some(({ id }) => id === known) === true) return message;
    const copy = message.clone();
    for (const child of copy.children) if (isOurs(child)) copy.removeChild(child);
    const id = from === null ? null : this.keep(to.bare(), from, copy);
    if (id !== null) copy.appendChild(xml('stanza-id', { xmlns: NS.STANZA_ID, id, by }));
    return copy;
  }

  /** Deals with a request of an account to its archive. @returns whether it was one */
  ask(request: Element, to: JID): boolean {
    const query = request.getChild('query', NS.MAM);
    const from = jidOf(request.getAttribute('from'));
    if (query === null || from === null || to.local === null || !from.bare().equals(to.bare())) return false;
    const refused = refusal(request, () => {
      if (request.getAttribute('type') === 'get') this.#form(request);
      else this.#read(request, query, from);
    });
    if (refused !== null) this.#host.route(refused);
    return true;
  }

  forget(account: string): void {
    this.#archives.delete(account);
  }

  #form(request: Element): void {
    const fields = (['with', 'start', 'end'] as const).map((name) => [name, 'text-single', ''] as const);
    this.#host.route(reply(request, xml('query', { xmlns: NS.MAM }, dataForm('form', NS.MAM, fields))));
  }

  #read(request: Element, query: Element, from: JID): void {
    const asked = query.getChild('x', NS.DATA_FORMS);
    const wanted = this.#wanted(accountOf(from), asked === null ? new Map() : submitted(asked));
    const { page, complete } = pageOf(wanted, query.getChild('set', NS.RSM));
    const queryid = query.getAttribute('queryid');
    for (const { id, at, message } of page) {
      const delay = xml('delay', { xmlns: NS.DELAY, stamp: new Date(at).toISOString() });
      const forwarded = xml('forwarded', { xmlns: NS.FORWARD }, delay, message.clone());
      const result = xml('result', { xmlns: NS.MAM, queryid, id }, forwarded);
      this.#host.route(xml('message', { xmlns: NS.CLIENT, from: from.bare().toString(), to: from.toString() }, result));
    }
    const [first, last] = [page[0], page.at(-1)];
    const set = xml(
      'set',
      { xmlns: NS.RSM },
      first && xml('first', { index: wanted.indexOf(first) }, first.id),
      last && xml('last', {}, last.id),
      xml('count', {}, wanted.length),
    );
    this.#host.route(reply(request, xml('fin', { xmlns: NS.MAM, complete: complete ? 'true' : undefined }, set)));
  }

  #wanted(account: string, filter: ReadonlyMap<string, string>): Archived[] {
    const other = filter.get('with') ?? '';
    const jid = other === '' ? null : jidOf(other);
    if (other !== '' && jid === null) throw new StanzaError('bad-request', { text: 'with is no address' });
    const [start, end] = [timeIn(filter, 'start') ?? -Infinity, timeIn(filter, 'end') ?? Infinity];
    return (this.#archives.get(account) ?? []).filter((one) => {
      const isWith = jid === null || one.with.equals(jid) || (jid.resource === null && one.with.bare().equals(jid));
      return isWith && one.at >= start && one.at <= end;
    });
  }
}

function timeIn(filter: ReadonlyMap<string, string>, name: string): number | null {
  const text = filter.get(name) ?? '';
  if (text === '') return null;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new StanzaError('bad-request', { text: `${name} is no time` });
  return time;
}

/** The part that was asked for (XEP-0059 §2). */
function pageOf(all: readonly Archived[], set: Element | null): { page: readonly Archived[]; complete: boolean } {
  const given = set?.getChildText('max') ?? '';
  const most = /^\d{1,9}$/.test(given) ? Math.min(Number(given), PAGE_LIMIT) : PAGE_LIMIT;
  const place = (id: string) => {
    const at = all.findIndex((one) => one.id === id);
    if (at < 0) throw new StanzaError('item-not-found', { text: 'the archive has no such id' });
    return at;
  };
  const after = set?.getChildText('after') ?? '';
  const before = set?.getChildText('before') ?? null;
  const from = after === '' ? 0 : place(after) + 1;
  const to = before === null || before === '' ? all.length : place(before);
  const range = all.slice(from, to);
  const page = before === null ? range.slice(0, most) : range.slice(Math.max(0, range.length - most));
  return { page, complete: page.length === range.length };
}

/** Whether a message is worth keeping: something that a person said. */
function isWorth(message: Element): boolean {
  const type = message.getAttribute('type') ?? 'normal';
  if ((type !== 'normal' && type !== 'chat') || message.getChild('body') === null) return false;
  return !message.children.some(
    ({ namespaceURI, localName }) => namespaceURI === NS.HINTS && NOT_KEPT.includes(localName),
  );
}
