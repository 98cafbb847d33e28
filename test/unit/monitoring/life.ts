import { Broker, COMPONENT, PCJ_NODERECEIVED, reply, xml, type BrokerOptions } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';

/** Two components of one server, and a life of theirs: a message and its answer, two requests, a handler that fails. */
export class Life implements AsyncDisposable {
  private constructor(
    readonly server: LoopbackServer,
    readonly echo: Broker,
    readonly peer: Broker,
  ) {}

  static async begin(): Promise<Life> {
    const names = ['echo.localhost', 'peer.localhost'];
    const components = Object.fromEntries(names.map((name) => [name, 'secret']));
    const server = await LoopbackServer.start({ domain: 'localhost', components });
    const [echo, peer] = names.map((jid) => {
      const options: BrokerOptions = {
        connectionType: COMPONENT,
        jid,
        password: 'secret',
        answerRequests: true,
        logger: false,
      };
      return new Broker({ ...options, host: '127.0.0.1', port: server.ports.component, reconnect: false });
    }) as [Broker, Broker];
    return new Life(server, echo, peer);
  }

  async live(): Promise<void> {
    const { echo, peer } = this;
    await echo.connect();
    await peer.connect();
    echo.match('/message[body]', ({ node }) => echo.output(reply(node, xml('body', {}, 'yes'))));
    echo.answer('get', { name: 'query', namespace: 'urn:test' }, () => xml('query', { xmlns: 'urn:test' }));
    echo.match('/message[subject]', async () => {
      await Promise.resolve();
      throw new Error('a bug');
    });
    const answer = peer.events.once(PCJ_NODERECEIVED);
    peer.output(xml('message', { to: 'echo.localhost' }, xml('body', {}, 'hello')));
    await answer;
    const ask = (namespace: string) =>
      peer.request(xml('iq', { type: 'get', to: 'echo.localhost' }, xml('query', { xmlns: namespace })));
    await ask('urn:test');
    await ask('urn:unknown').catch(() => undefined);
    const told = echo.events.once('PCJ_HANDLERERROR');
    peer.output(xml('message', { to: 'echo.localhost' }, xml('subject', {}, 'fail')));
    await told;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const broker of [this.echo, this.peer]) {
      await broker.shutdown();
      broker.halt();
    }
    await this.server.stop();
  }
}
