// What servers do with a second connection for a name, and how one name is served by several processes because of it. The
// tests try it on the servers, docs/scaling-out.md has it as a table, and scripts/recipe-pictures.mjs draws it.

/** Ways to serve more than one process could. `nodes` and `lines` are their pictures: columns from left to right. */
export const RECIPES = {
  standby: {
    title: 'Standby pair',
    caption: 'One process has the link. The other one waits, and takes over when it is gone.',
    nodes: [
      { id: 'a', at: [0, 0], text: ['your program'], kind: 'program' },
      { id: 'b', at: [0, 1], text: ['your program'], kind: 'program' },
      { id: 'nats', at: [1, 0.5], text: ['NATS', 'what is to be sent', 'who is the holder'], kind: 'nats' },
      { id: 'one', at: [2, 0], text: ['Broker', 'holder'], kind: 'broker' },
      { id: 'two', at: [2, 1], text: ['Broker', 'standby'], kind: 'idle' },
      { id: 'server', at: [3, 0.5], text: ['XMPP server'], kind: 'server' },
    ],
    lines: [
      { from: 'a', to: 'nats' },
      { from: 'b', to: 'nats' },
      { from: 'nats', to: 'one' },
      { from: 'nats', to: 'two', waits: true },
      { from: 'one', to: 'server' },
      { from: 'two', to: 'server', waits: true },
    ],
  },
  workers: {
    title: 'Workers',
    caption: 'What arrives is shared by the workers of a group. What they output goes out over the one link.',
    nodes: [
      { id: 'server', at: [0, 1], text: ['XMPP server'], kind: 'server' },
      { id: 'one', at: [1, 1], text: ['Broker', 'fanOut'], kind: 'broker' },
      { id: 'in', at: [2, 0.5], text: ['NATS', 'what arrived'], kind: 'nats' },
      { id: 'out', at: [2, 1.5], text: ['NATS', 'what is to be sent'], kind: 'nats' },
      { id: 'w1', at: [3, 0], text: ['Worker'], kind: 'program' },
      { id: 'w2', at: [3, 1], text: ['Worker'], kind: 'program' },
      { id: 'w3', at: [3, 2], text: ['Worker'], kind: 'program' },
    ],
    lines: [
      { from: 'server', to: 'one', both: true },
      { from: 'one', to: 'in' },
      { from: 'in', to: 'w1' },
      { from: 'in', to: 'w2' },
      { from: 'out', to: 'one' },
      { from: 'w2', to: 'out' },
      { from: 'w3', to: 'out' },
    ],
  },
  shared: {
    title: 'Active/active',
    caption: 'Each process has a link of its own for the same name, and takes what is to be sent from one queue.',
    nodes: [
      { id: 'a', at: [0, 1], text: ['your programs'], kind: 'program' },
      { id: 'nats', at: [1, 1], text: ['NATS', 'one queue'], kind: 'nats' },
      { id: 'one', at: [2, 0], text: ['Broker'], kind: 'broker' },
      { id: 'two', at: [2, 1], text: ['Broker'], kind: 'broker' },
      { id: 'three', at: [2, 2], text: ['Broker'], kind: 'broker' },
      { id: 'server', at: [3, 1], text: ['XMPP server', 'spreads what', 'comes in'], kind: 'server' },
    ],
    lines: [
      { from: 'a', to: 'nats' },
      { from: 'nats', to: 'one' },
      { from: 'nats', to: 'two' },
      { from: 'nats', to: 'three' },
      { from: 'one', to: 'server', both: true },
      { from: 'two', to: 'server', both: true },
      { from: 'three', to: 'server', both: true },
    ],
  },
  fleet: {
    title: 'Fleet',
    caption: 'Many accounts, each on one member. They are moved by shards when members come and go.',
    nodes: [
      { id: 'a', at: [0, 1], text: ['your programs'], kind: 'program' },
      { id: 'nats', at: [1, 1], text: ['NATS', 'a holder and a', 'consumer a shard'], kind: 'nats' },
      { id: 'one', at: [2, 0], text: ['Member', 'shards 0 to 21'], kind: 'broker' },
      { id: 'two', at: [2, 1], text: ['Member', 'shards 22 to 42'], kind: 'broker' },
      { id: 'three', at: [2, 2], text: ['Member', 'shards 43 to 63'], kind: 'broker' },
      { id: 'server', at: [3, 1], text: ['XMPP servers', 'a link for', 'each account'], kind: 'server' },
    ],
    lines: [
      { from: 'a', to: 'nats' },
      { from: 'nats', to: 'one' },
      { from: 'nats', to: 'two' },
      { from: 'nats', to: 'three' },
      { from: 'one', to: 'server', both: true, many: true },
      { from: 'two', to: 'server', both: true, many: true },
      { from: 'three', to: 'server', both: true, many: true },
    ],
  },
};

/**
 * What a server does with a second connection for one name (`second`), and the recipe that it allows. `setting` is what has to
 * be said to the server; null: nothing.
 */
export const NAMES = [
  {
    server: 'Prosody',
    name: 'component',
    second: 'refused',
    recipe: null,
    setting: null,
    remark: 'a process that stands still keeps the name until the server notices',
  },
  {
    server: 'Prosody',
    name: 'component',
    second: 'replaces',
    recipe: 'standby',
    setting: 'component_conflict_resolve = "kick_old"',
    remark: 'in the section of the component',
  },
  {
    server: 'Prosody',
    name: 'account',
    second: 'replaces',
    recipe: 'standby',
    setting: null,
    remark: 'give a `resource`; with `smacks` the session is resumed',
  },
  {
    server: 'ejabberd',
    name: 'component',
    second: 'shares',
    recipe: 'shared',
    setting: null,
    remark: 'no `domain_balancing` for the name; a standby pair works, too',
  },
  {
    server: 'ejabberd',
    name: 'account',
    second: 'replaces',
    recipe: 'standby',
    setting: null,
    remark: 'give a `resource`; with `mod_stream_mgmt` the session is resumed',
  },
  {
    server: 'jabberd2',
    name: 'component',
    second: 'shares',
    recipe: 'shared',
    setting: null,
    remark: 'XEP-0114: spread by the sender',
  },
  {
    server: 'jabberd2',
    name: 'service at the router',
    second: 'shares',
    recipe: 'shared',
    setting: null,
    remark: 'each with `ROUTER.with({ multi: true })`: spread by the recipient',
  },
  {
    server: 'jabberd14',
    name: 'component',
    second: 'replaces',
    recipe: 'standby',
    setting: null,
    remark: 'it keeps what comes meanwhile for 10 s',
  },
];
