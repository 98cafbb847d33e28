import { createHash } from 'node:crypto';
import { NS, XMPP } from 'xmpp-broker';
import type { Conversation } from './conversation.js';
import type { RigDialect, Said } from './rig.js';

export const PASSWORD = 's3cret-w0rd';
export const JID = 'alice@localhost/desk';

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** A frame that arrived. */
export interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly masked: boolean;
  readonly text: string;
}

export interface FrameOptions {
  readonly fin?: boolean;
  readonly masked?: boolean;
  /** The three reserved bits. */
  readonly reserved?: number;
}

/** A frame as a server writes it (RFC 6455 §5.2). */
export function frame(opcode: number, payload: string | Buffer, options: FrameOptions = {}): Buffer {
  const { fin = true, masked = false, reserved = 0 } = options;
  const data = Buffer.from(payload as string);
  const length = data.length < 126 ? 0 : data.length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + length + (masked ? 4 : 0));
  head[0] = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (length === 0 ? data.length : length === 2 ? 126 : 127);
  if (length === 2) head.writeUInt16BE(data.length, 2);
  if (length === 8) head.writeBigUInt64BE(BigInt(data.length), 2);
  return Buffer.concat([head, data]); // a mask of zeros changes nothing
}

export const text = (xml: string): Buffer => frame(TEXT, xml);

/** Payload of a close frame. */
export const closing = (code: number, reason = ''): Buffer => {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return frame(CLOSE, payload);
};

/** The server's side of a WebSocket, frame by frame. */
export class WebSocketPeer {
  #at = 0;
  /** The request for the WebSocket. */
  request = '';

  constructor(readonly conversation: Conversation) {}

  /** Reads the request. */
  async asked(): Promise<string> {
    this.request = await this.conversation.expect(/^[^]*\r\n\r\n/);
    this.#at = Buffer.byteLength(this.request);
    return this.request;
  }

  /** The answer to the request that was read. */
  answer(headers: Readonly<Record<string, string | null>> = {}, status = '101 Switching Protocols'): string {
    const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(this.request)?.[1] ?? '';
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const all: Readonly<Record<string, string | null>> = {
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Accept': accept,
      'Sec-WebSocket-Protocol': 'xmpp',
      ...headers,
    };
    const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
    return `HTTP/1.1 ${status}\r\n${lines.join('\r\n')}\r\n\r\n`;
  }

  async open(): Promise<void> {
    await this.asked();
    await this.conversation.send(this.answer());
  }

  /** The next frame. */
  async next(): Promise<Frame> {
    const deadline = process.uptime() + 5; // real time, also while the clock stands
    for (;;) {
      const found = this.#frame();
      if (found !== null) return found;
      if (process.uptime() > deadline) throw new Error('no frame came');
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The text of the next message, which has to be one frame that is masked. */
  async message(): Promise<string> {
    const { opcode, fin, masked, text } = await this.next();
    if (opcode !== TEXT || !fin || !masked) throw new Error(`no text in one masked frame, but opcode ${opcode}`);
    return text;
  }

  /** Takes a message that has to match. */
  async expect(pattern: RegExp): Promise<string> {
    const message = await this.message();
    if (!pattern.test(message)) throw new Error(`expected ${String(pattern)}, got ${message}`);
    return message;
  }

  send(...messages: readonly string[]): Promise<void> {
    return this.conversation.sendBytes(Buffer.concat(messages.map(text)));
  }

  #frame(): Frame | null {
    const found = readFrame(this.conversation.received.subarray(this.#at));
    this.#at += found?.length ?? 0;
    return found?.frame ?? null;
  }
}

/** The frame at the beginning of what arrived, and how long it is; null while it is not there whole. */
export function readFrame(bytes: Buffer): { readonly frame: Frame; readonly length: number } | null {
  if (bytes.length < 2) return null;
  const short = bytes[1]! & 0x7f;
  const from = short === 127 ? 10 : short === 126 ? 4 : 2;
  const masked = (bytes[1]! & 0x80) !== 0;
  const start = from + (masked ? 4 : 0);
  if (bytes.length < start) return null;
  const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < start + length) return null;
  const mask = bytes.subarray(from, start);
  const payload = Buffer.from(bytes.subarray(start, start + length));
  if (masked) for (let i = 0; i < payload.length; i++) payload[i]! ^= mask[i % 4]!;
  const frame = { opcode: bytes[0]! & 0x0f, fin: (bytes[0]! & 0x80) !== 0, masked, text: payload.toString('utf8') };
  return { frame, length: start + length };
}

/** What a server says over WebSocket while it lets somebody in. */
export interface Welcome extends Said {
  /** Content of the features behind authentication. Default bind and stream management. */
  readonly after?: string;
  /** Whether stream management is on. Default true. */
  readonly managed?: boolean;
  /** Default PLAIN. */
  readonly mechanism?: string;
}

const DECLARED = `xmlns:stream='${NS.STREAM}' xmlns='jabber:client'`;

export const open = (id: string): string =>
  `<open xmlns='${NS.FRAMING}' from='localhost' version='1.0' id='${id}' xml:lang='en'/>`;
export const features = (inner: string): string => `<stream:features ${DECLARED}>${inner}</stream:features>`;
export const PLAIN = `<mechanisms xmlns='${NS.SASL}'><mechanism>PLAIN</mechanism></mechanisms>`;
export const CLOSED = `<close xmlns='${NS.FRAMING}'/>`;

/** Lets a client in that has opened its WebSocket. It knows of no session. */
export async function welcome(peer: WebSocketPeer, said: Welcome = {}): Promise<void> {
  const { after, managed = true, behind, mechanism = 'PLAIN' } = said;
  const sm = managed ? `<sm xmlns='${NS.SM}'/>` : '';
  await peer.expect(/^<open /);
  await peer.send(open('s1'), features(PLAIN.replace('PLAIN', mechanism)));
  await peer.expect(/^<auth /);
  await peer.send(`<success xmlns='${NS.SASL}'/>`);
  await peer.expect(/^<open /);
  await peer.send(open('s2'), features(after ?? `<bind xmlns='${NS.BIND}'/>${sm}`));
  let iq = await peer.expect(/^<(?:iq|resume) /);
  if (iq.startsWith('<resume ')) {
    await peer.send(`<failed xmlns='${NS.SM}'><item-not-found xmlns='${NS.STANZAS}'/></failed>`);
    iq = await peer.expect(/^<iq /);
  }
  const id = /id='([^']+)'/.exec(iq)?.[1] ?? '';
  await peer.send(
    `<iq xmlns='jabber:client' type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`,
  );
  if (managed) {
    await peer.expect(/^<enable /);
    await peer.send(`<enabled xmlns='${NS.SM}' resume='true' id='session-1' max='300'/>`);
  }
  if (behind !== undefined) await peer.send(behind);
}

/** A client over WebSocket, inside TLS. The rig's host and port go into the URL. */
export const WEBSOCKET: RigDialect<Welcome> = {
  options: {
    connectionType: XMPP.with({ mechanisms: ['PLAIN'] }),
    domain: 'localhost',
    username: 'alice',
    password: PASSWORD,
  },
  transport: 'direct',
  letIn: async (server, said) => {
    const peer = new WebSocketPeer(server);
    await peer.open();
    await welcome(peer, said);
  },
};
