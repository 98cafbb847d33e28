import { describe, expect, it } from 'vitest';
import { xml, type Element } from 'xmpp-broker';
import { COMPONENT, DOMAIN } from '../support/component.js';
import { useRig } from '../support/index.js';

const rig = useRig(COMPONENT);

describe('handlers', () => {
  it('S-API-1: one that throws or rejects is reported and stops nobody', async () => {
    const { broker, server } = await rig.ready();
    const reported: unknown[] = [];
    broker.subscribe('PCJ_HANDLERERROR', (failure) => reported.push(failure));
    broker.subscribe('PCJ_NODERECEIVED', () => {
      throw new Error('thrown');
    });
    broker.subscribe('PCJ_NODERECEIVED', () => Promise.reject(new Error('rejected')));
    const last = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`<message/>`);
    await last;
    await new Promise((resolve) => setImmediate(resolve));
    expect(reported).toMatchObject([
      { event: 'PCJ_NODERECEIVED', error: { message: 'thrown' } },
      { event: 'PCJ_NODERECEIVED', error: { message: 'rejected' } },
    ]);
    expect(broker.state).toBe('ready');
  });

  it('S-API-7: shutdown, halt, output, filters and reconnect inside a handler are safe', async () => {
    for (const act of ['shutdown', 'halt'] as const) {
      const { broker, server } = await rig.ready({ timeouts: { close: 100 } });
      const seen: string[] = [];
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        seen.push(node.getAttribute('id') ?? '');
        broker.filters.add('x', '/message');
        broker.filters.remove('x');
        if (seen.length === 1) {
          broker.output("<message to='a@b' id='reply'/>");
          void broker[act]();
        }
      });
      const closed = broker.closed;
      await server.send("<message id='1'/><message id='2'/>");
      await closed;
      expect(seen).toEqual(act === 'halt' ? ['1'] : ['1', '2']);
    }
  });

  it('S-STZ-1: with answerRequests, an iq that nobody answers gets an error, once; an answered one does not', async () => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    broker.filters.add('known', '/iq/q:q', { namespaces: { q: 'urn:known' } });
    broker.subscribe('known', async (match) => {
      await new Promise((resolve) => setImmediate(resolve));
      const { node } = match as { node: Element };
      broker.output(xml('iq', { type: 'result', id: node.getAttribute('id'), to: node.getAttribute('from') }));
    });
    await server.send(
      `<iq type='get' id='1' from='a@b/r' to='${DOMAIN}'><q xmlns='urn:unknown'/></iq><iq type='set' id='2' from='a@b/r' to='${DOMAIN}'><q xmlns='urn:known'/></iq><iq type='nonsense' id='3' from='a@b/r' to='${DOMAIN}'/><iq type='result' id='4' from='a@b/r' to='${DOMAIN}'/>`,
    );
    // In which order they come is open.
    await expect.poll(() => server.received.toString()).toMatch(/<iq[^>]*id=["']3["'].*?bad-request.*?<\/iq>/);
    await expect.poll(() => server.received.toString()).toMatch(/<iq[^>]*id=["']2["']/);
    broker.output("<message to='a@b' id='end'/>");
    await server.expect(/id=["']end["']/);
    const answers = [...server.received.toString().matchAll(/<iq[^>]*?id=["'](\d)["']/g)].map(([, id]) => id);
    expect(answers.sort()).toEqual(['1', '2', '3']);
    expect(server.received.toString()).toContain('service-unavailable');
  });
});
