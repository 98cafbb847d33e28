export { describeServer } from './describe-server.js';
export { Prosody, SASL2_DOMAIN, type ProsodyOptions, type ProsodyPort, type Sasl2Options } from './prosody.js';
export { Ejabberd, type EjabberdOptions, type EjabberdPort } from './ejabberd.js';
export { Jabberd2, type Jabberd2Options, type Jabberd2Port } from './jabberd2.js';
export { Nats, NatsCluster, type NatsOptions, type NatsPort, type NatsServer, type NatsUser } from './nats.js';
export { sharedServer } from './shared.js';
export { DEFAULT_USERS, type TestServer, type User } from './server.js';
export { type Direction, Proxy, ProxyLink, type ProxyOptions } from './proxy.js';
export * from './certificates.js';
