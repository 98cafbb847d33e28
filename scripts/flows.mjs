// What the pictures of docs/architecture.md, docs/queue.md and docs/events.md show. The tests that run brokers use the same
// tables, so a picture cannot say what is not so (test/docs/flows.test.ts, and for events test/docs/orders.test.ts).

/** The parts that data flows through, with the place in `src` that is each. Rows are from top to bottom. */
export const PARTS = [
  { id: 'program', text: ['your program'], at: [0, 2], kind: 'program', path: null },
  { id: 'outbox', text: ['outbox'], at: [0.5, 0], kind: 'out', path: 'broker/outbox.ts' },
  { id: 'queue', text: ['queue', 'while not ready'], at: [2, 1], kind: 'idle', path: 'queue/outbound-queue.ts' },
  { id: 'buffer', text: ['send buffer'], at: [3, 0], kind: 'out', path: 'queue/send-buffer.ts' },
  {
    id: 'transport',
    text: ['transport', 'TCP or WebSocket'],
    at: [4, 1],
    kind: 'wire',
    path: 'stream/transport.ts',
  },
  { id: 'tokenizer', text: ['tokenizer'], at: [3, 2], kind: 'in', path: 'xml/tokenizer/tokenizer.ts' },
  { id: 'dialect', text: ['dialect', 'while negotiating'], at: [3, 3], kind: 'idle', path: 'protocols/dialect.ts' },
  { id: 'router', text: ['router', 'once ready'], at: [2, 2], kind: 'in', path: 'broker/router.ts' },
  { id: 'requests', text: ['requests', 'that wait'], at: [1, 1], kind: 'in', path: 'requests/pending-requests.ts' },
  { id: 'filters', text: ['filters'], at: [1, 2], kind: 'in', path: 'filters/filter-set.ts' },
  { id: 'bus', text: ['events'], at: [1, 3], kind: 'in', path: 'pubsub/pubsub.ts' },
];

/** From where to where, in one direction. */
export const STREAMS = [
  ['program', 'outbox'],
  ['outbox', 'queue'],
  ['outbox', 'buffer'],
  ['queue', 'buffer'],
  ['buffer', 'transport'],
  ['transport', 'tokenizer'],
  ['tokenizer', 'router'],
  ['tokenizer', 'dialect'],
  ['router', 'requests'],
  ['router', 'filters'],
  ['router', 'bus'],
  ['requests', 'program'],
  ['filters', 'program'],
  ['bus', 'program'],
];

/** The states of a ticket, and what changes them. */
export const STATES = [
  { id: 'queued', text: ['queued'], at: [0, 0], kind: 'out' },
  { id: 'sent', text: ['sent'], at: [1.5, 0], kind: 'out' },
  { id: 'acked', text: ['acked'], at: [3, 0], kind: 'in' },
  { id: 'dropped', text: ['dropped'], at: [0, 1.3], kind: 'idle' },
  { id: 'failed', text: ['failed'], at: [1.5, 1.3], kind: 'idle' },
];
export const CHANGES = [
  { from: 'queued', to: 'sent', when: 'written' },
  { from: 'sent', to: 'acked', when: 'acknowledged' },
  { from: 'sent', to: 'queued', when: 'link lost' },
  { from: 'queued', to: 'dropped', when: 'dropped' },
  { from: 'queued', to: 'failed', when: 'given up' },
  { from: 'sent', to: 'failed', when: 'given up' },
];

/** A message that is output before the link, and what its ticket is at each step; then an answer, which may come before that. */
export const LIFE = [
  { event: 'NODEQUEUED', ticket: 'queued', text: 'output() while not ready: held' },
  { event: 'READY', ticket: 'queued', text: 'the link is there; it stays held' },
  { event: 'NODESENT', ticket: 'queued', text: 'queue.send(): handed to the socket' },
  { event: null, ticket: 'sent', text: 'ticket.sent: written' },
  { event: null, ticket: 'acked', text: 'ticket.acked: the server has it' },
  { event: 'match', ticket: '', text: 'an answer arrives: first the filters …' },
  { event: 'NODERECEIVED', ticket: '', text: '… then everybody else' },
];

/** Dialects whose orders of events docs/events.md prints and test/docs/orders.test.ts checks, by what is printed above. */
export const DIALECTS = [
  { order: 'XMPP', title: 'XMPP' },
  { order: 'LEGACY', title: 'LEGACY' },
  { order: 'XEP-0114', title: 'COMPONENT' },
  { order: 'JABBERD20_COMPONENT', title: 'ROUTER' },
];
