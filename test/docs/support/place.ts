import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LoopbackServer } from 'xmpp-broker/testing';
import type { ProgramFolder } from './workshop.js';

/** What a program finds around it. */
export interface Surroundings {
  /** Where the ports of the documentation lead. */
  readonly detour: Readonly<Record<string, number>>;
  /** Folder for the program, with the authority to trust in `ca.pem`. */
  readonly folder: string;
}

/** The server that the documentation tells of, on the loopback. */
export interface Place extends Surroundings, AsyncDisposable {
  readonly server: LoopbackServer;
}

/** Starts the server of `example.org` with the accounts and components that the documentation uses. */
export async function openPlace(workshop: ProgramFolder): Promise<Place> {
  const server = await LoopbackServer.start({
    domain: 'example.org',
    accounts: { juliet: 'r0m30', romeo: 'j0l13t' },
    components: { 'echo.example.org': 'secret', 'peer.example.org': 'secret' },
    componentConflict: 'share',
    routerUsers: { jabberd: 'secret' },
    timeouts: { close: 200 },
  });
  const folder = mkdtempSync(join(workshop.path, 'place-'));
  writeFileSync(join(folder, 'ca.pem'), server.ca);
  const { client, clientDirectTls, component, router } = server.ports;
  return {
    server,
    folder,
    detour: { 5222: client, 5223: clientDirectTls, 5347: component, 5348: router },
    [Symbol.asyncDispose]: () => server.stop({ abrupt: true }),
  };
}
