// `xmpp-broker/nats`: one queue served by several processes on several machines, over NATS JetStream.
export { prepareNats, type PrepareOptions } from './prepare.js';
export { subjectToken } from './subjects.js';
