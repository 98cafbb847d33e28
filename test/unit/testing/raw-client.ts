import { LoopbackServer, type LoopbackOptions } from 'xmpp-broker/testing';
import { Conversation } from '../../wire/support/conversation.js';

export const ACCOUNTS: LoopbackOptions = { accounts: { alice: 'secret', bob: 'hidden' } };

/** A client that is driven by hand: what it sends is what the tests say. */
export class RawClient {
  /** The features of the stream that was opened last. */
  features = '';

  private constructor(
    readonly wire: Conversation,
    private readonly server: LoopbackServer,
  ) {}

  static async dial(server: LoopbackServer, port = server.ports.client): Promise<RawClient> {
    return new RawClient(await Conversation.dial(port, server.host), server);
  }

  /** A client with a resource, signed in with PLAIN inside TLS. */
  static async bound(server: LoopbackServer, username: string, resource = ''): Promise<RawClient> {
    const client = await RawClient.dial(server);
    await client.open();
    await client.starttls();
    await client.open();
    await client.plain(username);
    await client.open();
    await client.bind(resource);
    return client;
  }

  /** A client that is available. */
  static async available(server: LoopbackServer, username: string, resource = ''): Promise<RawClient> {
    const client = await RawClient.bound(server, username, resource);
    await client.send('<presence/>');
    await client.expect(/<presence[^>]*\/>/);
    return client;
  }

  static header(to: string, version: string | null = '1.0'): string {
    const said = version === null ? '' : ` version='${version}'`;
    return `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${to}'${said}>`;
  }

  /** Opens a stream of version 1.0 and returns its features. */
  async open(to = this.server.domain): Promise<string> {
    await this.send(RawClient.header(to));
    this.features = await this.expect(/<\/stream:features>|<stream:features[^>]*\/>|<\/stream:error>/);
    return this.features;
  }

  async starttls(): Promise<void> {
    await this.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    await this.expect(/<proceed [^>]*>/);
    await this.wire.startTlsAsClient({ ca: this.server.ca, servername: this.server.domain });
  }

  auth(mechanism: string, initial: string): Promise<void> {
    return this.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${mechanism}'>${initial}</auth>`);
  }

  respond(text: string): Promise<void> {
    return this.send(`<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${text}</response>`);
  }

  async plain(username: string): Promise<void> {
    const password = { alice: 'secret', bob: 'hidden' }[username] ?? 'none';
    await this.auth('PLAIN', Buffer.from(`\0${username}\0${password}`).toString('base64'));
    await this.expect(/<success [^>]*\/>/);
  }

  /** Binds a resource and returns the address. */
  async bind(resource: string): Promise<string> {
    const wanted = resource === '' ? '' : `<resource>${resource}</resource>`;
    await this.send(`<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>${wanted}</bind></iq>`);
    const [, jid = ''] = await this.wire.match(/<jid>([^<]*)<\/jid><\/bind><\/iq>/);
    return jid;
  }

  send(text: string): Promise<void> {
    return this.wire.send(text);
  }

  expect(pattern: string | RegExp): Promise<string> {
    return this.wire.expect(pattern);
  }

  close(): void {
    this.wire.destroy();
  }
}
