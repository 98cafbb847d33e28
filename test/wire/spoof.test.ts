// G11, in small: answers that are none against a thousand requests. `npm run evidence -- --only spoof` sends a million.
import { afterEach, describe, expect, it } from 'vitest';
import { Broker, Element, NS, xml, XMPP } from 'xmpp-broker';
import { note, partsOf, portion } from '../support/evidence.js';
import { generator, type Random } from '../support/random.js';
import { Cable } from './cuts/cable.js';
import { greet, iqId, JID } from './support/client.js';
import { COMPONENT, DOMAIN, handshake } from './support/component.js';
import { BIND, brokerOptions, Conversation, features, mechanisms, type RigDialect } from './support/index.js';

const PENDING = 1_000;
/** Answers in one piece. */
const BATCH = 500;

/** Whom a request of a number asks: null is nobody in particular. */
const askedOf = (n: number, { asksNobody }: Part): string | null =>
  [`bank${n}@d`, `bank${n}@d/r`, `d${n}.net`, 'd', asksNobody ? null : 'e'][n % 5]!;

interface Part {
  readonly dialect: RigDialect<never>;
  readonly own: string;
  letIn(server: Conversation): Promise<void>;
  /** Whether some requests have no address, which asks our own account. */
  readonly asksNobody: boolean;
  /** Who may answer those, null without an address. */
  readonly ours: readonly (string | null)[];
}

const CLIENT_IN_CLEAR: RigDialect<never> = {
  options: { connectionType: XMPP.with({ mechanisms: ['ANONYMOUS'] }), domain: 'localhost' },
  transport: 'plain',
  letIn: () => Promise.resolve(),
};

const PARTS: Readonly<Record<string, Part>> = {
  'a component': {
    dialect: COMPONENT,
    own: DOMAIN,
    letIn: (server) => handshake(server),
    asksNobody: false,
    ours: [],
  },
  'a client': {
    dialect: CLIENT_IN_CLEAR,
    own: JID,
    async letIn(server) {
      await greet(server, features(mechanisms('ANONYMOUS')), { id: 'a' });
      await server.expect('</auth>');
      await server.send(`<success xmlns='${NS.SASL}'/>`);
      await greet(server, features(BIND), { id: 'b' });
      const jid = `<bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind>`;
      await server.send(`<iq type='result' id='${await iqId(server)}'>${jid}</iq>`);
    },
    asksNobody: true,
    ours: [null, 'alice@localhost', JID, 'localhost'],
  },
};

const answererOf = (n: number, part: Part): string | null => askedOf(n, part) ?? part.ours[n % part.ours.length]!;

/** Somebody who was not asked by request `n`. */
function stranger(random: Random, n: number, part: Part): string | null {
  const asked = askedOf(n, part);
  const others = [
    'evil@e',
    'evil@e/r',
    '',
    ' ',
    '@d',
    'a@',
    `${asked ?? 'x'}.x`,
    `${asked ?? 'x'}/r`,
    `${asked ?? 'x'}\u0301`,
    `x${asked ?? ''}`,
    (asked ?? 'bank@d').replace('a', 'а'),
    `bank${n + 5}@d`,
    `bank${n}@d/R`,
    `bank${n}@d.d`,
    `d${n}.net.evil`,
    ...(asked === null ? [] : [null, ...part.ours]),
  ].filter((address) => address !== asked);
  return others[random.below(others.length)]!;
}

const attribute = (name: string, value: string | null): string =>
  value === null ? '' : ` ${name}='${value.replace(/[<>&']/g, (character) => `&#${character.charCodeAt(0)};`)}'`;

/** A stanza that answers none of the requests: one thing about it is wrong, the rest as it may be. */
function wrongAnswer(random: Random, ids: readonly string[], part: Part): string {
  const n = random.below(ids.length);
  const id = ids[n]!;
  const right = { kind: 'iq', id: id as string | null, type: ['result', 'error'][random.below(2)]! as string | null };
  const to = [part.own, part.own, null, `x@${part.own}`];
  let from: string | null = answererOf(n, part);
  switch (random.below(4)) {
    case 0:
      from = stranger(random, n, part);
      break;
    case 1:
      right.id = [id.slice(1), `${id}0`, id.toUpperCase(), ` ${id}`, '', null, '__proto__', 'constructor'][
        random.below(8)
      ]!;
      break;
    case 2:
      right.type = ['get', 'set', 'RESULT', 'Error', '', 'result ', null][random.below(7)]!;
      break;
    default:
      right.kind = ['message', 'presence'][random.below(2)]!;
  }
  const inner = right.type === 'error' ? `<error type='cancel'><gone xmlns='${NS.STANZAS}'/></error>` : '';
  const attributes = [
    attribute('type', right.type),
    attribute('id', right.id),
    attribute('from', from),
    attribute('to', to[random.below(to.length)]!),
  ];
  return `<${right.kind}${attributes.join('')}>${inner}</${right.kind}>`;
}

const brokers: Broker[] = [];
afterEach(() => {
  for (const broker of brokers.splice(0)) broker.halt();
});

describe('G11, A-STZ-1, S-RTS-2: wrong answers to a thousand requests settle none, and the right ones settle all', () => {
  it.each(partsOf(Object.keys(PARTS)))('%s', { timeout: 3_600_000 }, async (name) => {
    const part = PARTS[name]!;
    const cases = portion(4_000);
    const began = process.uptime();
    const random = generator(cases.seed);
    const cable = new Cable();
    const server = new Conversation(cable.far);
    const broker = new Broker({
      ...brokerOptions(part.dialect, 1),
      tls: { policy: 'disabled' },
      answerRequests: false,
      connector: () => cable.near,
    });
    brokers.push(broker);
    const connected = broker.connect();
    await part.letIn(server);
    await connected;
    cable.far.removeAllListeners('data').resume();

    const settled = new Map<number, unknown>();
    for (let n = 0; n < PENDING; n += 1) {
      const query = xml('iq', { type: 'get', to: askedOf(n, part) ?? undefined }, xml('q', { xmlns: 'urn:x' }));
      broker.request(query, { timeout: 3_600_000 }).then(
        (answer) => settled.set(n, answer),
        (error: unknown) => settled.set(n, error),
      );
    }
    const ids = [...broker.pending.keys()];
    let onLast = (): void => undefined;
    broker.subscribe('PCJ_NODERECEIVED', (node) => {
      if (node.getAttribute('id') === 'last') onLast();
    });
    /** Says so, and waits until all of it is handled. */
    const say = (text: string): Promise<void> =>
      new Promise((resolve) => {
        // Promises are told behind it.
        onLast = () => setImmediate(resolve);
        cable.far.write(`${text}<presence id='last' from='a@b'/>`);
      });
    const wrong: string[] = [];
    for (let sent = 0; sent < cases.size && wrong.length === 0;) {
      const batch = Array.from({ length: Math.min(BATCH, cases.size - sent) }, () => wrongAnswer(random, ids, part));
      await say(batch.join(''));
      sent += batch.length;
      if (settled.size > 0 || broker.pending.size !== PENDING)
        wrong.push(`settled by one of: ${batch.join('')}`.slice(0, 100_000));
    }
    const before = broker.pending.size;
    const right = ids.map(
      (id, n) =>
        `<iq type='result'${attribute('id', id)}${attribute('from', answererOf(n, part))} to='${part.own}'><n>${n}</n></iq>`,
    );
    await say(right.join(''));
    for (const [n, answer] of settled)
      if (!(answer instanceof Element) || answer.getChildText('n') !== String(n))
        wrong.push(`request ${n} got ${String(answer)}`);
    if (before !== PENDING || settled.size !== PENDING) wrong.push(`${before} were pending, ${settled.size} settled`);
    note(name, cases, began, { of: null, counts: { pending: PENDING, settled: settled.size }, wrong });
    expect(wrong).toEqual([]);
  });
});
