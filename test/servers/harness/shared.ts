import { afterAll } from 'vitest';
import type { TestServer } from './server.js';

/** A server that the tests of a file, or of a `describe`, share: started for the first that asks, ended behind the last. */
export function sharedServer<Port extends string>(
  start: () => Promise<TestServer<Port>>,
): () => Promise<TestServer<Port>> {
  let started: Promise<TestServer<Port>> | undefined;
  afterAll(async () => {
    const server = await started?.catch(() => undefined); // the tests have told why it did not start
    await server?.dispose();
  });
  return () => (started ??= start());
}
