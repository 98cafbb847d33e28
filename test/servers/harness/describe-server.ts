import { describe, test } from 'vitest';
import { SERVERS, type ServerName } from '../../../scripts/servers.mjs';

/**
 * `describe` for tests that need a real server. Where it is not installed they are left out with a loud warning; in
 * CI (`CI=true`) that is a failure.
 */
export function describeServer(name: ServerName, title: string, body: () => void): void {
  if (SERVERS[name].find() !== null) {
    describe(`${name}: ${title}`, body);
    return;
  }
  const packages = SERVERS[name].packages.join(' ');
  const message = `${name} is not installed (Debian: apt-get install --no-install-recommends ${packages})`;
  if (process.env['CI'] === 'true') {
    test(`${name}: ${title}`, () => {
      throw new Error(`${message}; CI must not leave it out`);
    });
    return;
  }
  console.warn(`LEFT OUT: ${title}: ${message}`);
  describe.skip(`${name}: ${title}`, body);
}
