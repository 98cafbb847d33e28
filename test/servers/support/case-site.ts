import { afterAll, afterEach, beforeAll } from 'vitest';
import { Clients } from './client-site.js';

/** The server that cases share, which is there in their tests, and clients that end with their test. */
export function useCaseSite<Server extends { dispose(): Promise<void> }>(
  start: () => Promise<Server>,
): { server: () => Server; clients: Clients } {
  let server: Server;
  const clients = new Clients();
  beforeAll(async () => {
    server = await start();
  });
  afterEach(() => clients[Symbol.asyncDispose]());
  afterAll(() => server.dispose());
  return { server: () => server, clients };
}
