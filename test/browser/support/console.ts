import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { Broker } from 'xmpp-broker';
import type { ConsoleOptions, OpenConsole } from 'xmpp-broker/console';
import { buildPage } from '../../../scripts/console-page.mjs';
import { openConsoleWith } from '../../../src/console/open-console.js';

/** Opens consoles with the page as it is in the sources; each test ends those that it opened. */
export function useConsoles(): (
  brokers: Broker | Record<string, Broker>,
  options?: ConsoleOptions,
) => Promise<OpenConsole> {
  const consoles: OpenConsole[] = [];
  let folder = '';
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-page-'));
    await buildPage(folder);
  });
  afterEach(async () => {
    for (const console of consoles.splice(0)) await console.close();
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  return async (brokers, options = {}) => {
    const opened = await openConsoleWith(brokers, options, pathToFileURL(`${folder}/`));
    consoles.push(opened);
    return opened;
  };
}
