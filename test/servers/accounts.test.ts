import { describeServer, Prosody } from './harness/index.js';
import { accountCases } from './support/account-cases.js';

// What the loopback server has to do as well: test/unit/testing/accounts.test.ts.
describeServer('prosody', 'accounts', () => accountCases(() => Prosody.start()));
