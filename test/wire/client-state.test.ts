import { describe, expect, it } from 'vitest';
import { NS, xml } from 'xmpp-broker';
import { authenticate, CLIENT, greet, JID, welcomeBack } from './support/client.js';
import { BIND, features, SM, useRig } from './support/index.js';

const rig = useRig(CLIENT);

const CSI = `<csi xmlns='${NS.CSI}'/>`;
const INACTIVE = `<inactive xmlns='${NS.CSI}'/>`;
const ACTIVE = `<active xmlns='${NS.CSI}'/>`;
const OFFERED = { after: features(BIND, SM, CSI) };

describe('modern 9: client states (XEP-0352)', () => {
  it('are told where the server offers it, in order with the stanzas, and not counted', async () => {
    const { broker, server } = await rig.ready({}, OFFERED);
    broker.output(xml('message', { id: 'a' }));
    expect(broker.clientState('inactive')).toBe(true);
    broker.output(xml('message', { id: 'b' }));
    expect(broker.clientState('inactive')).toBe(true);
    expect(broker.clientState('active')).toBe(true);
    const { acked } = broker.output(xml('message', { id: 'c' }));
    await server.expect(`<message id='a'/>${INACTIVE}<message id='b'/>${ACTIVE}<message id='c'/>`);
    await server.send(`<a xmlns='${NS.SM}' h='3'/>`);
    await acked;
  });

  it('are not told where it does not', async () => {
    const { broker, server } = await rig.ready();
    expect(broker.clientState('inactive')).toBe(false);
    broker.output(xml('message', { id: 'a' }));
    await server.expect(`<message id='a'/>`);
    expect(server.received.toString()).not.toContain(NS.CSI);
  });

  it('are remembered while there is no link, and told behind PCJ_READY', async () => {
    const { broker, server, connected, recorded } = await rig.dialled();
    expect(broker.clientState('inactive')).toBe(false);
    await CLIENT.letIn(server, OFFERED);
    await connected;
    await server.expect(INACTIVE);
    expect(recorded.short.indexOf('NODESENT(inactive)')).toBeGreaterThan(recorded.short.indexOf('READY'));
  });

  it('are told again in a resumed session, which forgot it; active is what it is anyhow', async () => {
    const { broker, server, peer } = await rig.ready({ reconnect: { resumeDelayMs: 1 } }, OFFERED);
    broker.clientState('inactive');
    await server.expect(INACTIVE);
    server.destroy();
    const second = await peer.accept();
    await authenticate(second);
    await greet(second, OFFERED.after, { id: 'auth-2' });
    await second.expect(/<resume [^>]*\/>/);
    await second.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>`);
    await second.expect(INACTIVE);
    broker.clientState('active');
    await second.expect(ACTIVE);
    second.destroy();
    const third = await peer.accept();
    await welcomeBack(third);
    await third.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>`);
    await broker.events.once('PCJ_READY');
    broker.output(xml('message', { id: 'z' }));
    await third.expect(`<message id='z'/>`);
    expect(third.received.toString()).not.toContain(NS.CSI);
    expect(broker.jid?.toString()).toBe(JID);
  });
});
