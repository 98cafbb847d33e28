import { NS, PCJ_NODERECEIVED, xml, type Broker, type Element } from 'xmpp-broker';

/** What one client is sent, in words that are the same for every server. */
export class Witness {
  #seen: string[] = [];

  constructor(readonly broker: Broker) {
    broker.subscribe(PCJ_NODERECEIVED, (stanza) => {
      const words = inWords(stanza);
      if (words !== null) this.#seen.push(words);
    });
  }

  /** Everything that the server has sent since it was asked last. */
  async seen(): Promise<readonly string[]> {
    await this.broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));
    return this.#seen.splice(0);
  }
}

function inWords(stanza: Element): string | null {
  const type = stanza.getAttribute('type');
  const from = stanza.getAttribute('from') ?? '';
  const by = from === '' ? '' : ` from ${from}`;
  const delayed = stanza.getChild('delay', NS.DELAY) === null ? '' : ', delayed';
  if (type === 'error') {
    const conditions = stanza.getChild('error')?.children.filter(({ namespaceURI }) => namespaceURI === NS.STANZAS);
    return `${stanza.localName} error ${conditions?.[0]?.localName ?? 'none'}${by}`;
  }
  if (stanza.localName === 'presence') {
    // Servers differ in whether they say that somebody who was not seen before is not there.
    if (type === 'unavailable' && !from.includes('/')) return null;
    return `${type ?? stanza.getChildText('show') ?? 'available'}${by}${delayed}`;
  }
  if (stanza.localName === 'iq') {
    const item = stanza.getChild('query', NS.IQ_ROSTER)?.getChild('item');
    return item == null ? null : `push: ${contact(item)}`;
  }
  const event = stanza.getChild('event', NS.PUBSUB_EVENT)?.firstElementChild;
  if (event != null) return `event${by}: ${happened(event)}`;
  return `${type ?? 'normal'} "${stanza.getChildText('body') ?? ''}"${by}${delayed}`;
}

/** A contact of a roster. */
export function contact(item: Element): string {
  const ask = item.hasAttribute('ask') ? ' (asked)' : '';
  const groups = item.getChildren('group').map(({ textContent }) => ` in ${textContent}`);
  return `${item.getAttribute('jid') ?? ''} ${item.getAttribute('subscription') ?? ''}${ask}${groups.join('')}`;
}

function happened(event: Element): string {
  const items = event.children.map((item) => `${item.localName} ${item.getAttribute('id') ?? ''}`);
  return [event.localName, event.getAttribute('node') ?? '', ...items].join(' ');
}
