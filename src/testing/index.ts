/**
 * `xmpp-broker/testing`: an XMPP server inside the process, for tests and demonstrations. Not for anything else: it
 * keeps nothing, and protects nothing but what a test is about.
 */
export { LoopbackServer, type LoopbackTarget, type Refusal } from './loopback-server.js';
export { DryRun, type DryRunOptions } from './dry-run.js';
export type { ExpectOptions } from './arrivals.js';
export { queueStoreCases, type QueueStoreCase } from './queue-store-cases.js';
export { MemoryStore, type CommitHooks } from './memory-store.js';
export type { LoopbackConnection } from './connection.js';
export type { LoopbackEvents } from './events.js';
export type { LoopbackIdentity } from './authority.js';
export type { ChannelBinding } from './sasl/channel-binding.js';
export type { RefusalStage } from './site.js';
export type { FaultDetails } from './stream-fault.js';
export type {
  ComponentConflict,
  LegacyMethod,
  LoopbackBindOptions,
  LoopbackFastOptions,
  LoopbackLegacyOptions,
  LoopbackManagementOptions,
  LoopbackOptions,
  LoopbackPort,
  LoopbackSasl2Options,
  LoopbackSaslOptions,
  LoopbackServices,
  LoopbackTimeouts,
  LoopbackTlsOptions,
  RouterUser,
} from './options.js';
