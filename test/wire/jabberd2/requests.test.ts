import { describe, expect, it } from 'vitest';
import { NS, parse, routeOf, StanzaError, xml, type Element } from 'xmpp-broker';
import { failure, trace, useRig } from '../support/index.js';
import { NAME, route, ROUTER, SERVICE } from '../support/service.js';

const rig = useRig(SERVICE);

describe('requests', () => {
  const ping = (attributes: Record<string, string> = {}) =>
    xml('iq', { type: 'get', to: 'alice@localhost/r1', ...attributes }, xml('ping', { xmlns: NS.PING }));

  it('are answered through the router', async () => {
    const { broker, server } = await rig.ready();
    const asked = broker.request(ping());
    const iq = parse(await server.expect('</route>')).firstElementChild!;
    const id = iq.getAttribute('id')!;
    await server.send(
      route(`<iq xmlns='jabber:client' type='result' id='${id}' from='alice@localhost/r1' to='${NAME}'/>`),
    );
    const result = await asked;
    expect(result.getAttribute('id')).toBe(id);
    expect(routeOf(result)?.getAttribute('to')).toBe(NAME);
  });

  it.each([
    ['result', 'eve@localhost/r1', NAME],
    ['result', 'alice@localhost/r1', 'other.localhost'],
    ['error', 'eve@localhost/r1', NAME],
    ['error', NAME, 'eve@localhost/r1'],
    ['error', 'other.localhost', 'alice@localhost/r1'],
    ['error', 'alice@localhost/r1', 'other.localhost'],
    ['result', NAME, 'alice@localhost/r1'],
  ])('S-RTS-2, A-STZ-1: a %s from %s to %s is no answer', async (type, from, to) => {
    const { broker, server } = await rig.ready();
    const asked = broker.request(ping({ id: '7' }));
    await server.expect('</route>');
    const answer = (kind: string, sender: string, receiver: string, inner = '') =>
      route(`<iq xmlns='jabber:client' type='${kind}' id='7' from='${sender}' to='${receiver}'>${inner}</iq>`);
    const forged = type === 'error' ? `<error type='cancel'><gone xmlns='${NS.STANZAS}'/></error>` : '<forged/>';
    await server.send(answer(type, from, to, forged) + answer('result', 'alice@localhost/r1', NAME, '<real/>'));
    expect((await asked).firstElementChild?.localName).toBe('real');
  });

  it.each([
    ['404', 'item-not-found'],
    ['401', 'not-authorized'],
    ['400', 'bad-request'],
    ['500', 'undefined-condition'],
  ])('S-J2-3: a packet that bounces with %s fails the request with %s', async (code, condition) => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const asked = failure(broker.request(ping({ to: 'x@nowhere.localhost', id: '6' })));
    const packet = await server.expect('</route>');
    recorded.clear();
    await server.send(packet.replace('<route', `<route xmlns='${ROUTER}' error='${code}'`));
    const error = await asked;
    expect(error).toBeInstanceOf(StanzaError);
    expect(error).toMatchObject({ condition, text: expect.stringContaining(code) as string });
    expect(recorded.short).toEqual(['ROUTEFAIL', 'RTS_FINISH']);
    const {
      code: shown,
      route: bounced,
      stanza,
    } = recorded.payloads[0] as { code: string; route: Element; stanza: Element };
    expect([shown, bounced.getAttribute('to'), stanza.getAttribute('id')]).toEqual([code, 'nowhere.localhost', '6']);
  });

  it('S-J2-3: a bounced message is PCJ_ROUTEFAIL and an error stanza without its content; nothing is answered', async () => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    broker.filters.add('echo', '/message[body]');
    const echoed: unknown[] = [];
    broker.subscribe('echo', (match) => void echoed.push(match));
    broker.output(xml('message', { to: 'x@nowhere.localhost', id: 'm' }, xml('body', {}, 'hello')));
    broker.output(ping({ to: 'x@nowhere.localhost', id: 'q' }));
    const first = await server.expect('</route>');
    const second = await server.expect('</route>');
    const seen: Element[] = [];
    const both = new Promise<void>((resolve) => {
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        if (seen.push(node) === 2) resolve();
      });
    });
    await server.send(
      [first, second].map((one) => one.replace('<route', `<route xmlns='${ROUTER}' error='404'`)).join(''),
    );
    await both;
    expect(seen.map((node) => [node.localName, node.getAttribute('type'), node.getAttribute('from')])).toEqual([
      ['message', 'error', 'x@nowhere.localhost'],
      ['iq', 'error', 'x@nowhere.localhost'],
    ]);
    expect(echoed).toEqual([]);
    expect(routeOf(seen[0]!)?.getAttribute('error')).toBe('404');
    broker.output(xml('message', { to: 'a@localhost', id: 'last' }));
    expect(await server.expect('</route>')).toContain("id='last'");
  });

  it.each(["type='error'", "type='result' id='1'"])(
    'S-J2-3: a bounced answer (%s) is PCJ_ROUTEFAIL only',
    async (type) => {
      const { broker, server } = await rig.ready();
      const recorded = trace(broker);
      const failed = broker.events.once('PCJ_ROUTEFAIL');
      await server.send(
        route(`<iq xmlns='jabber:client' ${type} from='${NAME}' to='x@gone'/>`, `error='404' to='gone' from='${NAME}'`),
      );
      await failed;
      expect(recorded.short).toEqual(['ROUTEFAIL']);
    },
  );

  it('a bounced packet without a stanza is PCJ_ROUTEFAIL', async () => {
    const { broker, server } = await rig.ready();
    const failed = broker.events.once('PCJ_ROUTEFAIL');
    await server.send(route('', `error='400' to='gone' from='${NAME}'`));
    expect(await failed).toMatchObject({ code: '400', stanza: null });
  });
});
