import { Broker, xml, XMPP } from 'xmpp-broker';
import type { TestServer } from '../../harness/index.js';

/** Who receives on a real server, as `bob@localhost/sink`. */
export interface Sink {
  readonly broker: Broker;
  /** Bodies of what arrived, in order. */
  readonly bodies: readonly string[];
}

export async function openSink(server: TestServer<'starttls'>): Promise<Sink> {
  const broker = new Broker({
    connectionType: XMPP,
    host: '127.0.0.1',
    port: server.ports.starttls,
    domain: 'localhost',
    username: 'bob',
    resource: 'sink',
    password: 'secret',
    tls: { ca: server.ca },
    logger: false,
  });
  const bodies: string[] = [];
  broker.subscribe('PCJ_NODERECEIVED', (node) => {
    if (node.localName === 'message') bodies.push(node.getChildText('body') ?? '');
  });
  await broker.connect();
  broker.output(xml('presence'));
  return { broker, bodies };
}
