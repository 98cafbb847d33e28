export { Broker } from './broker/broker.js';
export type { Commands } from './broker/commands.js';
export type { Outbound, OutputOptions } from './broker/output.js';
export type { OpenQueue } from './broker/queue-keeper.js';
export type { RequestOptions } from './broker/requester.js';
export type { Answer, AnswerHandler, AnswerOptions, AnswerTarget } from './broker/answerer.js';
export type { BrokerStats } from './broker/broker-stats.js';
export type { Counters, StanzaCounts } from './stats.js';
export type { Matching, MatchOptions } from './broker/matching.js';
export type { ShutdownReport } from './broker/shutdown-report.js';
export type { ShutdownOptions } from './broker/shutdown.js';
export type { ShutdownSignals } from './broker/signal-watch.js';
export type { BrokerFilters } from './broker/broker-filters.js';
export type { ConnectOptions } from './lifecycle/contract.js';
export type { BrokerState } from './lifecycle/state.js';
export type { BrokerConfig, BrokerOptions, Limits, LivenessOptions, Secret, Timeouts } from './options/options.js';
export type { OnReady, QueueConfig, QueueDecision, QueueOptions } from './options/queue.js';
export type { ReconnectOptions } from './options/reconnect.js';
export type { Connector } from './dial/connector.js';
export type { Pem, TlsOptions } from './tls/options.js';
export type { Logger } from './logger.js';
export { BrokerError, type ErrorFacts, type ErrorLayer, type ErrorPhase, type Redirect } from './errors.js';
export { StanzaError } from './stanza/stanza-error.js';
export type { StanzaErrorType } from './stanza/conditions.js';
export * from './events.js';
export type { ClientCertificate } from './tls/client-certificate.js';
export type { TlsFacts } from './tls/facts.js';
export type { Handler, Listing, Publication, PubSub, SubscribeOptions, Subscription } from './pubsub/pubsub.js';
export type {
  Explanation,
  Filter,
  FilterCounters,
  FilterMatch,
  FilterOptions,
  FilterState,
  FilterTest,
} from './filters/filter.js';
export type { OutboundQueue, QueueLimits } from './queue/outbound-queue.js';
export type {
  Change,
  DeadLetter,
  Handed,
  OpenStore,
  PurgeSelection,
  QueueStatus,
  QueueStore,
  SessionLocation,
  SessionRecord,
  StoredStanza,
  StoreOwner,
} from './queue/store.js';
export type { Ticket, TicketState } from './queue/ticket.js';
export type { PendingRequest } from './requests/pending-requests.js';
export type { ArchiveTrust, EventTrust, TrustKinds } from './stanza/trust.js';
export * from './protocols/index.js';
export type { ChannelBindings, ChannelBindingType } from './tls/channel-binding.js';
export { serveDisco, type Disco, type DiscoBroker, type DiscoItem, type DiscoOptions } from './disco/serve-disco.js';
export type { Identity } from './disco/caps.js';
export { Privileges, type PrivilegedRequestOptions, type PrivilegesOptions } from './privileges/privileges.js';
export type { Access, Grants } from './privileges/grants.js';
export {
  Delegation,
  type DelegatedDisco,
  type DelegatedRequest,
  type DelegationHandler,
  type DelegationOptions,
} from './privileges/delegation.js';
export type { PrivilegedBroker } from './privileges/privileged-broker.js';
export { JID } from './jid/jid.js';
export { Element, type Node } from './xml/element.js';
export { Attr } from './xml/attr.js';
export { Document } from './xml/document.js';
export { Text } from './xml/text.js';
export { xml } from './xml/builder.js';
export { parse } from './xml/tokenizer/parse.js';
export { serialize } from './xml/serializer.js';
export type { StanzaErrorCondition } from './stanza/conditions.js';
export { reply, errorReply, type ErrorReplyOptions } from './stanza/replies.js';
export { toDom, fromDom } from './xml/dom.js';
export { CONTENT_NAMESPACES, NS } from './xml/namespaces.js';
export {
  Connection,
  HANDLED,
  JABBER_NS,
  JabberNode,
  NodeFactory,
  type ConnectionOptions,
  type NodeHandler,
  type Registration,
} from './jabber-connection/index.js';
