// A program: the hostile peer. Its first connection is a good one and warms the victim up, the second is the attack, and
// those behind it are good again. It tells its port.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { ATTACKS, type Attack } from './attacks.js';

const { name, amount } = JSON.parse(process.argv[2] ?? '{}') as { name: string; amount: number };
const attack = ATTACKS[name]!;
const WARM = 3_000;
const END = "<presence from='a@b' id='end'/>";
const NS = { stream: 'http://etherx.jabber.org/streams', sasl: 'urn:ietf:params:xml:ns:xmpp-sasl', bind: 'urn:ietf:params:xml:ns:xmpp-bind' }; // prettier-ignore

/** One connection. */
class Peer {
  #heard = '';
  readonly #hears: () => void;
  #wake: () => void = () => undefined;

  constructor(readonly socket: Socket) {
    this.#hears = () => {
      this.#wake();
    };
    socket.setNoDelay();
    socket.on('data', (bytes) => {
      this.#heard = (this.#heard + bytes.toString('latin1')).slice(-20_000);
      this.#hears();
    });
    socket.on('error', () => undefined).on('close', this.#hears);
  }

  async hear(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.#heard);
      if (found !== null) {
        this.#heard = this.#heard.slice(found.index + found[0].length);
        return found[1] ?? '';
      }
      if (this.socket.destroyed) throw new Error('gone');
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async say(text: string): Promise<void> {
    if (this.socket.destroyed) throw new Error('gone');
    if (this.socket.write(text)) return;
    await Promise.race([once(this.socket, 'drain'), once(this.socket, 'close')]);
  }
}

const header = (xmlns: string, from: string) =>
  `<?xml version='1.0'?><stream:stream xmlns='${xmlns}' xmlns:stream='${NS.stream}' id='s1' from='${from}' version='1.0'>`;

/** Lets the victim in, up to where the attack is. */
async function letIn(peer: Peer, { dialect, at }: Pick<Attack, 'dialect' | 'at'>): Promise<void> {
  const open = /<stream:stream[^>]*>/;
  const greeting = dialect === 'component' ? header('jabber:component:accept', 'comp.broker.test') : header('jabber:client', 'localhost'); // prettier-ignore
  await peer.hear(open);
  if (at === 'header') return;
  await peer.say(greeting);
  if (dialect === 'component') {
    await peer.hear(/<\/handshake>/);
    await peer.say('<handshake/>');
    return;
  }
  if (at === 'features') return;
  const offer = '<mechanism>ANONYMOUS</mechanism>';
  await peer.say(`<stream:features><mechanisms xmlns='${NS.sasl}'>${offer}</mechanisms></stream:features>`);
  await peer.hear(/<\/auth>|<auth [^>]*\/>/);
  if (at === 'auth') return;
  await peer.say(`<success xmlns='${NS.sasl}'/>`);
  await peer.hear(open);
  await peer.say(`${greeting}<stream:features><bind xmlns='${NS.bind}'/></stream:features>`);
  const id = await peer.hear(/<iq[^>]* id=['"]([^'"]+)['"][^>]*>.*?<\/iq>/);
  await peer.say(`<iq type='result' id='${id}'><bind xmlns='${NS.bind}'><jid>alice@localhost/r</jid></bind></iq>`);
}

async function serve(peer: Peer, index: number): Promise<void> {
  const isGood = index !== 1;
  await letIn(peer, { dialect: attack.dialect, at: isGood ? 'ready' : attack.at });
  if (!isGood && attack.reads === false) peer.socket.pause();
  if (isGood) {
    const message = "<message from='a@b' id='1'><body>x</body><x xmlns='urn:x' a='1'/></message>";
    for (let left = index === 0 ? WARM : 1; left > 0; left -= 100) await peer.say(message.repeat(Math.min(100, left)));
  } else for (const piece of attack.bytes(amount)) await peer.say(piece);
  await peer.say(END);
  if (!isGood && attack.reads === false) return;
  await peer.hear(/<\/stream:stream>/);
  await peer.say('</stream:stream>');
  peer.socket.end();
}

let connections = 0;
const server = createServer((socket) => void serve(new Peer(socket), connections++).catch(() => socket.destroy()));
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? (address?.port ?? '') : ''}\n`);
});
// Whoever started it is gone.
process.stdin.on('end', () => process.exit()).resume();
