// `xmpp-broker/nats`: one queue served by several processes on several machines, over NATS JetStream.
export { prepareNats, type PrepareOptions } from './prepare.js';
export { natsStore, type NatsStoreOptions } from './nats-store.js';
export { StanzaPublisher, type StanzaPublisherEvents } from './publisher.js';
export type { RemoteOutputOptions, RemoteRequestOptions, StanzaPublisherOptions } from './publisher-options.js';
export type { RemoteTicket, RemoteTicketState } from './remote-ticket.js';
export type { TicketReport } from './reports.js';
export { subjectToken } from './subjects.js';
export type { NatsGiven } from './connection.js';
export { fanOut, type FanOutOptions } from './open-fan-out.js';
export type { FanOut, FanOutEvents } from './fan-out.js';
export type { GroupEvents, GroupOptions } from './groups.js';
export { Fleet, type FleetEvents } from './fleet.js';
export type { FleetOptions } from './fleet-options.js';
export { Worker, type WorkerEvents, type WorkerOptions } from './worker.js';
export type { Work } from './work.js';
