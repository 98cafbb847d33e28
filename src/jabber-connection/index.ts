export { Connection } from './connection.js';
export type { ConnectionOptions } from './options.js';
export { HANDLED, type NodeHandler, type Registration } from './handlers.js';
export { JabberNode } from './node.js';
export { NodeFactory } from './node-factory.js';
export { JABBER_NS } from './namespaces.js';
