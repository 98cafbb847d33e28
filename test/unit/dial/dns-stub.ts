import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';

/** A DNS server for tests (RFC 1035), on a loopback port of UDP and TCP. It knows SRV records and ways to fail. */

export interface SrvData {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** `.` is the root. */
  readonly target: string;
}

/** What is answered: records, a response code, or nothing at all. */
export type StubAnswer =
  readonly SrvData[] | 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED' | 'silence' | 'garbage' | 'CNAME loop';

const RESPONSE_CODES = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
const [SRV, CNAME] = [33, 5];

export class DnsStub {
  /** Names that were asked for, in order; a question that is repeated stands there again. */
  readonly questions: string[] = [];

  private constructor(
    private readonly udp: Socket,
    private readonly tcp: Server,
    private readonly answers: Readonly<Record<string, StubAnswer>>,
  ) {
    udp.on('message', (query, peer) => {
      const response = this.respond(query);
      // What does not fit into a datagram is asked for again over TCP (RFC 1035 §4.2.1).
      if (response !== null)
        udp.send(response.length > 512 ? truncated(response, query) : response, peer.port, peer.address);
    });
    tcp.on('connection', (socket) => {
      let received = Buffer.alloc(0);
      socket
        .on('error', () => undefined)
        .on('data', (chunk: Buffer) => {
          received = Buffer.concat([received, chunk]);
          while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
            const query = received.subarray(2, 2 + received.readUInt16BE(0));
            received = received.subarray(2 + query.length);
            const response = this.respond(query);
            if (response !== null) socket.write(Buffer.concat([uint16(response.length), response]));
          }
        });
    });
  }

  /** @param answers by name; other names do not exist */
  static async start(answers: Readonly<Record<string, StubAnswer>>): Promise<DnsStub> {
    const tcp = createServer();
    tcp.listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4');
    udp.bind(port, '127.0.0.1');
    await once(udp, 'listening');
    return new DnsStub(udp, tcp, answers);
  }

  get server(): string {
    return `127.0.0.1:${String(this.udp.address().port)}`;
  }

  [Symbol.dispose](): void {
    this.udp.close();
    this.tcp.close();
  }

  private respond(query: Buffer): Buffer | null {
    const [name, end] = readName(query, 12);
    this.questions.push(name);
    const answer = this.answers[name] ?? 'NXDOMAIN';
    if (answer === 'silence') return null;
    if (answer === 'garbage') return Buffer.concat([query.subarray(0, 2), Buffer.alloc(9, 0xff)]);
    const question = query.subarray(12, end + 4);
    const records =
      answer === 'CNAME loop' ? [record(CNAME, writeName(name))] : typeof answer === 'string' ? [] : answer.map(srv);
    const code = typeof answer === 'string' && answer !== 'CNAME loop' ? RESPONSE_CODES[answer] : 0;
    const header = Buffer.concat([
      query.subarray(0, 2),
      Buffer.of(0x81, 0x80 | code),
      ...[1, records.length, 0, 0].map(uint16),
    ]);
    return Buffer.concat([header, question, ...records]);
  }
}

const uint16 = (value: number) => Buffer.of(value >> 8, value & 0xff);

function srv({ priority, weight, port, target }: SrvData): Buffer {
  return record(SRV, Buffer.concat([...[priority, weight, port].map(uint16), writeName(target)]));
}

/** A record about the name of the question, with a time to live of zero. */
function record(type: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0xc0, 12), uint16(type), uint16(1), Buffer.alloc(4), uint16(data.length), data]);
}

function truncated(response: Buffer, query: Buffer): Buffer {
  const [, end] = readName(query, 12);
  const short = Buffer.from(response.subarray(0, end + 4));
  short[2] = (short[2] ?? 0) | 0x02;
  short.fill(0, 6, 12);
  return short;
}

function readName(message: Buffer, start: number): [name: string, end: number] {
  const labels: string[] = [];
  let at = start;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return [labels.join('.').toLowerCase(), at + 1];
}

function writeName(name: string): Buffer {
  const labels = name === '.' ? [] : name.split('.');
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')]),
    Buffer.of(0),
  ]);
}
