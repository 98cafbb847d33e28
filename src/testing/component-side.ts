// The component side of the server: XEP-0114.
import { createHash } from 'node:crypto';
import { JID } from '../jid/jid.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { Connection } from './connection.js';
import type { DomainLink } from './services/host.js';
import { sameText } from './sasl/same-text.js';
import type { Site } from './site.js';
import { isStanza, jidOf, moveInto, problemOf, withFrom } from './stanza.js';
import { StreamFault } from './stream-fault.js';
import { streamId, wrongHeader } from './stream-opening.js';

/** Serves one component from its first byte to its last. */
export async function serveComponent(connection: Connection, site: Site): Promise<void> {
  const { stream } = connection;
  const header = await stream.header();
  const to = header.getAttribute('to');
  const name = jidOf(to)?.toString() ?? '';
  const secret = site.secrets.get(name);
  // Servers that do not know the name send an empty id.
  const id = secret === undefined ? '' : streamId();
  stream.open(NS.COMPONENT_ACCEPT, { id, from: to });
  const fault = wrongHeader(header, NS.COMPONENT_ACCEPT, null);
  if (fault !== null) throw fault;
  if (secret === undefined) throw new StreamFault('host-unknown');

  const handshake = await stream.next();
  if (!handshake.is('handshake', NS.COMPONENT_ACCEPT)) throw new StreamFault('not-authorized');
  const digest = createHash('sha1').update(id).update(secret).digest('hex');
  if (!sameText(handshake.textContent, digest)) {
    throw new StreamFault('not-authorized', { text: 'the handshake does not fit the secret' });
  }
  site.publish('authenticated', { connection, username: name, mechanism: 'handshake' });

  const link = new ComponentLink(connection);
  makeRoom(site, name);
  const jid = new JID(null, name);
  stream.send(xml('handshake', { xmlns: NS.COMPONENT_ACCEPT }));
  connection.bind(jid);
  site.hub.addLink(name, link, 'from');
  site.publish('session', { connection, jid, resumed: false });
  try {
    await stream.flow((element) => receive(element, name, site));
  } finally {
    site.hub.removeLink(name, link);
  }
}

class ComponentLink implements DomainLink {
  constructor(readonly connection: Connection) {}

  deliver(stanza: Element): void {
    this.connection.stream.send(stanza, NS.CLIENT);
  }
}

/** Deals with whoever has the name already. */
function makeRoom({ hub, settings }: Site, name: string): void {
  const others = hub.links(name);
  if (others.length === 0) return;
  const components = others.filter((link) => link instanceof ComponentLink);
  if (settings.componentConflict === 'refuse' || components.length < others.length) {
    throw new StreamFault('conflict', { text: 'the component is connected already' });
  }
  if (settings.componentConflict === 'share') return;
  for (const link of components) {
    link.connection.kick('conflict', { text: 'replaced by a new connection' });
    hub.removeLink(name, link);
  }
}

/** A first-level element of the component. A missing `from` is filled in; another one's closes the stream. */
function receive(element: Element, name: string, { hub, script }: Site): void {
  if (script !== null) return;
  if (!isStanza(element, NS.COMPONENT_ACCEPT) && !isStanza(element, NS.CLIENT)) {
    throw new StreamFault('unsupported-stanza-type');
  }
  const from = element.getAttribute('from');
  if (from !== null && jidOf(from)?.domain !== name) throw new StreamFault('invalid-from');
  const owned = moveInto(NS.CLIENT, withFrom(element, from ?? name));
  const problem = owned.hasAttribute('to') ? problemOf(owned) : 'bad-request';
  if (problem === null) hub.route(owned);
  else hub.bounce(owned, problem);
}
