import { describe, expect, it } from 'vitest';
import { NS, PCJ_NODERECEIVED, type Broker, type Element } from 'xmpp-broker';
import { CLIENT, JID } from './support/client.js';
import { COMPONENT, DOMAIN } from './support/component.js';
import { useRig } from './support/index.js';

const rig = useRig(CLIENT);
const components = useRig(COMPONENT);

const ACCOUNT = JID.replace(/\/.*/, '');
const from = (sender: string | null) => (sender === null ? '' : ` from='${sender}'`);

/** Everything that is read until the message `last`, and what `trusted` makes of each. */
async function verdicts(broker: Broker, send: () => Promise<void>, look: (stanza: Element) => Element | null) {
  const found: boolean[] = [];
  const last = new Promise<void>((resolve) => {
    broker.subscribe(PCJ_NODERECEIVED, (stanza) => {
      if (stanza.getAttribute('id') === 'last') resolve();
      else found.push(look(stanza) !== null);
    });
  });
  await send();
  await last;
  return found;
}

describe('broker.trusted()', () => {
  it('S-STZ-7: a roster push from somebody else is not believed, and answered as unknown', async () => {
    const { server, broker } = await rig.ready();
    const senders = [null, ACCOUNT, JID, 'localhost', 'mallory@localhost', `${ACCOUNT}.example.org`];
    const pushes = senders.map(
      (sender, n) =>
        `<iq type='set' id='push-${String(n)}'${from(sender)}><query xmlns='${NS.IQ_ROSTER}'><item jid='a@b'/></query></iq>`,
    );
    const found = await verdicts(
      broker,
      () => server.send(`${pushes.join('')}<message id='last'/>`),
      (stanza) => broker.trusted(stanza, 'roster'),
    );
    expect(found).toEqual([true, true, false, false, false, false]);
    expect(await server.expect(/<iq[^>]* id='push-4'.*?<\/iq>/)).toContain('service-unavailable');
  });

  it('S-STZ-8: carbons from somebody else, and the message inside one, are not believed', async () => {
    const { server, broker } = await rig.ready();
    const carbon = (sender: string | null) =>
      `<message${from(sender)}><sent xmlns='${NS.CARBONS}'><forwarded xmlns='${NS.FORWARD}'>` +
      `<message xmlns='jabber:client' from='${JID}' to='bob@localhost'><body>pay</body></message></forwarded></sent></message>`;
    const copies: (Element | null)[] = [];
    const found = await verdicts(
      broker,
      () => server.send(`${[null, ACCOUNT, JID, 'mallory@localhost'].map(carbon).join('')}<message id='last'/>`),
      (stanza) => {
        const copy = broker.trusted(stanza, 'carbons');
        copies.push(copy?.getChild('forwarded', NS.FORWARD)?.getChild('message', NS.CLIENT) ?? null);
        return copy;
      },
    );
    expect(found).toEqual([true, true, false, false]);
    expect(copies.map((copy) => copy?.getChildText('body'))).toEqual(['pay', 'pay', undefined, undefined]);
    // A message that came inside another was forwarded, and stands for nobody.
    expect(broker.trusted(copies[0]!, 'account')).toBeNull();
  });

  it('S-STZ-8: results of an archive count for the query and the archive that were asked', async () => {
    const { server, broker } = await rig.ready();
    const result = (sender: string | null, queryid: string) =>
      `<message${from(sender)}><result xmlns='${NS.MAM}' queryid='${queryid}' id='1'/></message>`;
    const found = await verdicts(
      broker,
      () =>
        server.send(
          result('room@muc.localhost', 'q1') +
            result('room@muc.localhost', 'q2') +
            result('mallory@localhost', 'q1') +
            result(null, 'q1') +
            "<message id='last'/>",
        ),
      (stanza) => broker.trusted(stanza, 'mam', { queryid: 'q1', from: 'room@muc.localhost' }),
    );
    expect(found).toEqual([true, false, false, false]);
  });

  it('S-STZ-8: the account stays known while the link is lost', async () => {
    const { server, broker } = await rig.ready();
    const seen = broker.events.once(PCJ_NODERECEIVED);
    await server.send(`<message from='${ACCOUNT}'/>`);
    const stanza = await seen;
    const closed = broker.closed;
    server.reset();
    await closed;
    expect(broker.jid).toBeNull();
    expect(broker.trusted(stanza, 'account')).toBe(stanza);
  });

  it('S-STZ-8: a component has no account', async () => {
    const { server, broker } = await components.ready();
    const found = await verdicts(
      broker,
      () => server.send(`<message from='${DOMAIN}' to='${DOMAIN}'/><message/><message id='last'/>`),
      (stanza) => broker.trusted(stanza, 'account'),
    );
    expect(found).toEqual([false, false]);
  });
});
