import { createHash } from 'node:crypto';
import { Connection, type ConnectionOptions } from 'xmpp-broker';
import type { Conversation } from './conversation.js';
import { OPENING } from './elements.js';
import { DOMAIN, LEGACY_CLIENT, offer, result } from './legacy.js';
import { useRig, type Rig } from './rig.js';
import type { ScriptedPeer } from './scripted-peer.js';
import { streamHeader } from './stream-header.js';

export const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

/** A message from somebody else. */
export const message = (body: string): string => `<message from='romeo@${DOMAIN}'><body>${body}</body></message>`;

/** The server's opening tag. */
export const header = (id: string | null = 'S1', xmlns = 'jabber:client'): string =>
  streamHeader({ xmlns, id, from: DOMAIN, version: null });

/** Answers an opening tag with a header. */
export async function open(server: Conversation, behind = '', xmlns?: string): Promise<void> {
  await server.expect(OPENING);
  await server.send(header('S1', xmlns) + behind);
}

/** Takes whatever digest comes by jabber:iq:auth. Returns the request it came in. */
export async function acceptDigest(server: Conversation): Promise<string> {
  const set = await offer(server, '<digest/><password/>');
  await server.send(result(set.id));
  return set.text;
}

export interface Connections {
  readonly rig: Rig;
  /** A connection that is not opened yet, in clear unless told. */
  make(peer: ScriptedPeer, options?: Partial<ConnectionOptions>): Connection;
  /** A client that is signed in, and the server's side. */
  client(
    options?: Partial<ConnectionOptions>,
  ): Promise<{ connection: Connection; server: Conversation; peer: ScriptedPeer }>;
}

/** Connections in the manner of Jabber::Connection, and their servers, for one test file. */
export function useConnections(): Connections {
  const rig = useRig(LEGACY_CLIENT);
  const make: Connections['make'] = (peer, options = {}) => {
    const connection = new Connection({
      server: `127.0.0.1:${String(peer.port)}`,
      localname: DOMAIN,
      tls: { policy: 'disabled' },
      timeouts: { close: 100 },
      logger: false,
      ...options,
    });
    rig.add(connection.broker);
    return connection;
  };
  return {
    rig,
    make,
    async client(options) {
      const peer = await rig.listen();
      const connection = make(peer, options);
      const connected = connection.connect();
      const server = await peer.accept();
      await open(server);
      await connected;
      const signedIn = connection.auth('juliet', 'r0m30', 'balcony');
      await acceptDigest(server);
      await signedIn;
      return { connection, server, peer };
    },
  };
}
