// A broker without a server, for the tests of handlers: nothing of it is imitated but the other end of its stream.
import { setImmediate as immediately } from 'node:timers/promises';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { isA, kindOf } from '../arguments/values.js';
import { Broker } from '../broker/broker.js';
import { usageError } from '../errors.js';
import { address } from '../jid/checks.js';
import { JID } from '../jid/jid.js';
import type { Dialect } from '../protocols/dialect.js';
import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { parseInScope } from '../xml/tokenizer/parse.js';
import { Arrivals, type ExpectOptions } from './arrivals.js';
import { duplexPair } from './duplex-pair.js';
import { PeerStream } from './peer-stream.js';
import { isStanza, moveInto } from './stanza.js';
import { streamId } from './stream-opening.js';

/** Who the broker of a dry run is. */
export interface DryRunOptions {
  /** Its address: of an account with its resource, or of a component. Default `bot@localhost/dry-run`. */
  readonly jid?: JID | string | undefined;
}

const OPTIONS: OptionTable<DryRunOptions> = { checks: { jid: address } };
const DEFAULT_JID = 'bot@localhost/dry-run';

/** How long the stream may take to end, in milliseconds. */
const CLOSE_MS = 1000;

/**
 * Runs the handlers of a program without a server and without a socket. The broker is a real one, ready, on a stream in
 * memory: `match`, `answer`, `subscribe`, `request` and `output` do what they do anywhere. What it is sent is given to
 * {@link DryRun.receive}; what it sends is looked at with {@link DryRun.expect} and {@link DryRun.sent}.
 */
export class DryRun implements AsyncDisposable {
  readonly #stream: PeerStream;
  readonly #contentNamespace: string;
  readonly #jid: JID;
  readonly #arrivals = new Arrivals('USAGE_DRY_RUN', 'expect()');
  readonly #sent: Element[] = [];
  #received = 0;
  #served: Promise<void> = Promise.resolve();

  private constructor(
    /** Set up your handlers on this one. It is ready. */
    readonly broker: Broker,
    stream: PeerStream,
    contentNamespace: string,
    jid: JID,
  ) {
    this.#stream = stream;
    this.#contentNamespace = contentNamespace;
    this.#jid = jid;
  }

  /** @throws BrokerError `USAGE_DRY_RUN` for wrong options */
  static async start(options: DryRunOptions = {}): Promise<DryRun> {
    const { jid: given = DEFAULT_JID } = readOptions('USAGE_DRY_RUN', 'DryRun.start()', options, OPTIONS);
    const jid = typeof given === 'string' ? JID.parse(given) : given;
    const contentNamespace = jid.local === null ? NS.COMPONENT_ACCEPT : NS.CLIENT;
    const [near, far] = duplexPair();
    const stream = new PeerStream(far, contentNamespace, {}, { received: () => undefined, sent: () => undefined });
    const broker = new Broker({
      connectionType: dialectFor(jid, contentNamespace),
      domain: jid.domain,
      host: 'localhost',
      port: 1,
      tls: { policy: 'disabled' },
      connector: () => near,
      logger: false,
    });
    const run = new DryRun(broker, stream, contentNamespace, jid);
    run.#served = run.#serve();
    await broker.connect();
    return run;
  }

  /** Everything the broker has sent, oldest first. */
  get sent(): readonly Element[] {
    return [...this.#sent];
  }

  /**
   * Lets a stanza arrive. Without `to` it is for the broker's address; handlers are called behind the next turn of the event
   * loop.
   * @param stanza an element, or XML
   * @throws BrokerError `USAGE_DRY_RUN` for what is no stanza, `XML_*` for text that is not well-formed
   */
  receive(stanza: Element | string): void {
    const given = typeof stanza === 'string' ? parseInScope(stanza, this.#contentNamespace) : stanza;
    if (!isA(given, Element) || !isStanza(given, given.namespaceURI ?? '')) {
      const what = isA(given, Element) ? `<${given.nodeName}/>` : kindOf(given);
      throw usageError('USAGE_DRY_RUN', `receive() wants a message, presence or iq, not ${what}`);
    }
    const arriving = moveInto(this.#contentNamespace, given.clone());
    if (!arriving.hasAttribute('to')) arriving.setAttribute('to', this.#jid.toString());
    this.#stream.send(arriving);
    this.#received += 1;
  }

  /**
   * Waits for something that the broker sends. Each stanza is given once, to the first who expects it, also when it was sent
   * before: so the order of calls is that of your test.
   * @param xpath as for `broker.match`
   * @returns a promise of the stanza; rejects with a BrokerError `EXPECT_FAILED` that lists what was sent, and as
   * `filters.add` for a wrong expression
   */
  expect(xpath: string, options: ExpectOptions = {}): Promise<Element> {
    return this.#arrivals.expect(xpath, options);
  }

  /** Waits until every handler is done, ends the broker in order, and gives everything it has sent. */
  async finish(): Promise<readonly Element[]> {
    while (this.broker.state === 'ready' && this.#arrived < this.#received) await immediately();
    await this.broker.shutdown();
    await this.#served;
    return this.sent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.finish();
    this.broker.halt();
  }

  /** How many stanzas the broker has read. */
  get #arrived(): number {
    const { message, presence, iq } = this.broker.stats().stanzas.in;
    return message + presence + iq;
  }

  /** The other end of the stream. Never rejects. */
  async #serve(): Promise<void> {
    const stream = this.#stream;
    try {
      await stream.header();
      stream.open(this.#contentNamespace, { id: streamId(), from: this.#jid.domain, version: '1.0' });
      await stream.flow((element) => {
        if (!isStanza(element, this.#contentNamespace)) return;
        this.#sent.push(element);
        this.#arrivals.add(element);
      });
    } catch {
      // The broker tells what broke its stream.
    }
    this.#arrivals.end('before the broker ended');
    await stream.finish(CLOSE_MS);
  }
}

/** Speaks with the other end: the stream is opened, and that is all. */
function dialectFor(jid: JID, xmlns: string): Dialect {
  const isAccount = jid.local !== null;
  return {
    name: 'dry run',
    xmlns,
    version: '1.0',
    addressing: isAccount ? 'account' : 'domain',
    answersRequests: true,
    probe: 'space',
    async negotiate(session) {
      const { id } = await session.open();
      session.publish('PCJ_AUTHNEGOTIATE', { mechanism: 'none' });
      session.publish('PCJ_AUTHSUCCESS', { mechanism: 'none' });
      return { jid, sid: id ?? '' };
    },
    prepare(stanza) {
      if (isAccount || stanza.hasAttribute('from')) return stanza;
      const copy = stanza.clone();
      copy.setAttribute('from', jid.toString());
      return copy;
    },
  };
}
