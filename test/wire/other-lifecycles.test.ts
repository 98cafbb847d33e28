import { describe, it } from 'vitest';
import { OPENING, type Conversation, type RigDialect, type Said } from './support/index.js';
import { LEGACY_CLIENT } from './support/legacy.js';
import { SERVICE } from './support/service.js';
import { liveAnyhow } from './support/world.js';

/** What the server does with one connection. */
const MANNERS = ['good', 'good', 'good', 'deaf', 'silent', 'resets', 'breaks', 'closes'] as const;
type Manner = (typeof MANNERS)[number];

/** What a server of any dialect may do. */
async function serve(dialect: RigDialect<Said>, server: Conversation, manner: Manner): Promise<void> {
  if (manner === 'resets') {
    server.reset();
    return;
  }
  if (manner === 'silent') {
    await server.expect(OPENING);
    return server.ended;
  }
  await dialect.letIn(server, manner === 'breaks' ? { behind: '<a></b>' } : {});
  if (manner === 'closes') {
    server.end();
    return;
  }
  await server.expect('</stream:stream>');
  if (manner === 'deaf') return server.ended;
  await server.send('</stream:stream>');
  server.end();
}

describe.each([
  ['jabber:iq:auth', LEGACY_CLIENT],
  ['the router of jabberd2', SERVICE],
])('G10 S-CONN-8: whatever happens to a link of %s, in whatever order', (_, dialect) => {
  it('one outcome for each attempt, every promise settles, nothing is left', { timeout: 120_000 }, () =>
    liveAnyhow(
      { broker: dialect.options, manners: MANNERS, serve: (server, manner) => serve(dialect, server, manner) },
      75,
    ),
  );
});
