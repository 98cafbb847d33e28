import { describeServer, Prosody } from './harness/index.js';
import { accountCases } from './support/account-cases.js';
import { archiveCases } from './support/archive-cases.js';
import { pubsubCases } from './support/pubsub-cases.js';

// What the loopback server has to do as well: test/unit/testing/accounts.test.ts.
describeServer('prosody', 'accounts', () => accountCases(() => Prosody.start()));
describeServer('prosody', 'archives', () => archiveCases(() => Prosody.start()));
describeServer('prosody', 'nodes', () => {
  const extra = 'Component "pubsub.localhost" "pubsub"\n  admins = { "alice@localhost" }';
  pubsubCases(() => Prosody.start({ extra }));
});
