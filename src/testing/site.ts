import type { Accounts } from './accounts.js';
import type { LoopbackEvents } from './events.js';
import type { Hub } from './hub.js';
import type { LegacyAuth } from './legacy-auth.js';
import type { Settings } from './settings.js';
import type { Resumption } from './resumption.js';
import type { RouterLink } from './router-link.js';
import type { StreamFault } from './stream-fault.js';
import type { TlsIdentity } from './tls-identity.js';

/** When new client streams are refused. */
export type RefusalStage = 'open' | 'tls' | 'authenticated';

/** What everything that serves a connection shares. */
export interface Site {
  readonly settings: Settings;
  readonly hub: Hub;
  /** Users of the client ports. */
  readonly accounts: Accounts;
  /** Users of the router port. */
  readonly routerAccounts: Accounts;
  /** Secrets by component. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly resumption: Resumption;
  readonly legacy: LegacyAuth | null;
  readonly tls: TlsIdentity | null;
  /** Every link to the router. */
  readonly routers: Set<RouterLink>;
  /** What new client streams are refused with, if they are. */
  readonly refusal: { readonly fault: StreamFault; readonly stage: RefusalStage } | null;
  publish<Name extends keyof LoopbackEvents>(event: Name, payload: LoopbackEvents[Name]): void;
}
