import type { Command } from '../command.js';
import { demo as run } from '../demo.js';
import { escaped } from '../escaped.js';

/** The main job, visibly. */
export const demo: Command = {
  name: 'demo',
  summary: 'runs a component and its peer through the main job',
  operands: '',
  count: [0, 0],
  details: [
    'By itself it brings a server of its own, and signs in with the other dialects, too. With --server it is a component',
    '(XEP-0114) of a real one; without a name for the peer the component talks to itself through the server.',
  ],
  options: {
    server: { value: 'HOST:PORT', help: 'the component port of a real server' },
    domain: { value: 'NAME', help: "the component's name there" },
    secret: { value: 'SECRET', help: 'its secret; else from XMPP_PASSWORD' },
    'peer-domain': { value: 'NAME', help: "the peer's name" },
    'peer-secret': { value: 'SECRET', help: 'and its secret; else from XMPP_PEER_PASSWORD, or the same' },
  },
  async run(given, { out, env }) {
    const json = given.has('json');
    await run({
      server: given.text('server'),
      domain: given.text('domain'),
      secret: given.text('secret') ?? (given.text('server') === undefined ? undefined : env['XMPP_PASSWORD']),
      peerDomain: given.text('peer-domain'),
      peerSecret: given.text('peer-secret') ?? env['XMPP_PEER_PASSWORD'],
      print: (line) => out(escaped(json ? JSON.stringify({ line }) : line)),
    });
    return 0;
  },
};
