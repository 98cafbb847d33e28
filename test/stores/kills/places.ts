// Servers that the program that is killed talks through.
import { LoopbackServer } from 'xmpp-broker/testing';
import { Ejabberd, Prosody } from '../../servers/harness/index.js';
import type { Place } from './rounds.js';

export type PlaceName = 'loopback' | 'prosody' | 'ejabberd';

export interface OpenPlace extends AsyncDisposable {
  readonly place: Place;
}

export async function openPlace(name: PlaceName): Promise<OpenPlace> {
  if (name === 'loopback') {
    const server = await LoopbackServer.start({
      accounts: { alice: 'secret', bob: 'secret' },
      components: { 'comp.localhost': 'secret' },
      componentConflict: 'replace',
    });
    const { client, component } = server.ports;
    return {
      place: { host: '127.0.0.1', ca: server.ca, clientPort: client, componentPort: component },
      [Symbol.asyncDispose]: () => server.stop({ abrupt: true }),
    };
  }
  const server = name === 'prosody' ? await Prosody.start() : await Ejabberd.start();
  const { starttls, component } = server.ports;
  return {
    place: { host: server.host, ca: server.ca, clientPort: starttls, componentPort: component },
    [Symbol.asyncDispose]: () => server.dispose(),
  };
}
