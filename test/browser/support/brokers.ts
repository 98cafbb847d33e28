import { afterEach, beforeEach } from 'vitest';
import { Broker, COMPONENT, XMPP, type BrokerOptions } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';

/** A loopback server, and the brokers that sign in there, of one test. */
export class Brokers {
  server!: LoopbackServer;
  readonly #brokers: Broker[] = [];
  readonly #timers: NodeJS.Timeout[] = [];

  async start(): Promise<void> {
    this.server = await LoopbackServer.start({
      domain: 'example.org',
      accounts: { juliet: 'r0m30' },
      components: { 'echo.example.org': 'secret', 'peer.example.org': 'secret' },
    });
  }

  /** Does something again and again, to the end of the test at most. */
  every(ms: number, run: () => void): void {
    this.#timers.push(setInterval(run, ms));
  }

  /** Ends what is done again and again. */
  quiet(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
  }

  async stop(): Promise<void> {
    this.quiet();
    for (const broker of this.#brokers.splice(0)) broker.halt();
    await this.server.stop({ abrupt: true });
  }

  add(options: BrokerOptions): Broker {
    const broker = new Broker({ logger: false, ...options });
    this.#brokers.push(broker);
    return broker;
  }

  component(name: 'echo' | 'peer', options: Partial<BrokerOptions> = {}): Broker {
    const { component: port } = this.server.ports;
    const jid = `${name}.example.org`;
    return this.add({ connectionType: COMPONENT, jid, host: '127.0.0.1', port, password: 'secret', ...options });
  }

  account(options: Partial<BrokerOptions> = {}): Broker {
    const { client: port } = this.server.ports;
    const tls = { ca: this.server.ca };
    const jid = 'juliet@example.org/desk';
    return this.add({ connectionType: XMPP, jid, host: '127.0.0.1', port, password: 'r0m30', tls, ...options });
  }

  /** Two components that are ready. */
  async pair(options: Partial<BrokerOptions> = {}): Promise<{ echo: Broker; peer: Broker }> {
    const echo = this.component('echo', options);
    const peer = this.component('peer', { answerRequests: true });
    await Promise.all([echo.connect(), peer.connect()]);
    return { echo, peer };
  }
}

/** Each test has some of its own. */
export function useBrokers(): Brokers {
  const brokers = new Brokers();
  beforeEach(() => brokers.start());
  afterEach(() => brokers.stop());
  return brokers;
}
