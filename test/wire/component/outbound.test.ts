import { describe, expect, it } from 'vitest';
import { xml } from 'xmpp-broker';
import { COMPONENT, dialect, DOMAIN } from '../support/component.js';
import { useRig } from '../support/index.js';

const rig = useRig(COMPONENT);

describe('what may be output', () => {
  it.each([
    ['S-API-3: two elements', '<message/><message/>', 'USAGE_NOT_ONE_STANZA'],
    ['A-STZ-7: a closing tag', '</stream:stream>', 'USAGE_NOT_ONE_STANZA'],
    ['A-STZ-7: an open tag', '<message>', 'USAGE_NOT_ONE_STANZA'],
    ['an empty string', '', 'USAGE_NOT_ONE_STANZA'],
    ['a number', 5, 'USAGE_NOT_ONE_STANZA'],
    ['null', null, 'USAGE_NOT_ONE_STANZA'],
    ['undefined', undefined, 'USAGE_NOT_ONE_STANZA'],
    ['a plain object', {}, 'USAGE_NOT_ONE_STANZA'],
    ['S-STZ-5: an iq without id', "<iq type='get' to='a@b'><q xmlns='urn:x'/></iq>", 'USAGE_IQ'],
    ['S-STZ-5: an iq get without child', "<iq type='get' id='1' to='a@b'/>", 'USAGE_IQ'],
    [
      'S-STZ-5: an iq get with two children',
      "<iq type='get' id='1' to='a@b'><q xmlns='urn:x'/><q xmlns='urn:x'/></iq>",
      'USAGE_IQ',
    ],
    ['S-STZ-5: an iq without type', "<iq id='1' to='a@b'><q xmlns='urn:x'/></iq>", 'USAGE_IQ'],
    ['S-COMP-4: no to', '<message/>', 'USAGE_COMPONENT_ADDRESS'],
    ['S-COMP-4: a foreign from', "<message to='a@b' from='x@other'/>", 'USAGE_COMPONENT_ADDRESS'],
    [
      'S-COMP-4: a foreign from as long as ours',
      `<message to='a@b' from='x@${'y'.repeat(DOMAIN.length)}'/>`,
      'USAGE_COMPONENT_ADDRESS',
    ],
    [
      'S-COMP-4: a from with characters that no address has',
      `<message to='a@b' from='x&lt;y@${DOMAIN}'/>`,
      'USAGE_JID',
    ],
    ['S-COMP-4: a from that is too long', `<message to='a@b' from='${'x'.repeat(1_024)}@${DOMAIN}'/>`, 'USAGE_JID'],
    [
      'S-COMP-4: a from whose domain only begins as ours',
      `<message to='a@b' from='x@${DOMAIN}x'/>`,
      'USAGE_COMPONENT_ADDRESS',
    ],
    ['S-COMP-4: a from with an empty local part', `<message to='a@b' from='@${DOMAIN}'/>`, 'USAGE_JID'],
    ['S-COMP-4: a from with an empty resource', `<message to='a@b' from='x@${DOMAIN}/'/>`, 'USAGE_JID'],
    ['S-COMP-4: a malformed from', "<message to='a@b' from='@'/>", 'USAGE_JID'],
  ])('%s is refused before anything is written', async (_, node, code) => {
    const { broker, server } = await rig.ready();
    expect(() => broker.output(node as string)).toThrow(expect.objectContaining({ code }));
    broker.output("<message to='a@b' id='ok'/>");
    await server.expect(/id=["']ok["']/);
    expect(server.received.toString().match(/<message/g)).toHaveLength(1);
  });

  it('DECISIONS 23: a missing from is filled in canonically, on a copy', async () => {
    const { broker, server } = await rig.ready({ domain: 'COMP.broker.test' });
    const node = xml('message', { to: 'a@b' });
    broker.output(node);
    await server.expect(/from=["']comp\.broker\.test["']/);
    expect(node.getAttribute('from')).toBeNull();
  });

  it.each([`J\u00f6rg@${DOMAIN}`, `Joe@${DOMAIN}/Desk`])(
    'S-COMP-4: a from with our name stays as it is: %s',
    async (from) => {
      const { broker, server } = await rig.ready();
      broker.output(xml('message', { to: 'a@b', from, id: 'ok' }));
      await server.expect(`from='${from}' id='ok'`);
    },
  );

  it('takes elements of @xmldom/xmldom', async () => {
    const { broker, server } = await rig.ready();
    const { DOMParser } = await import('@xmldom/xmldom');
    const document = new DOMParser().parseFromString(
      "<message to='a@b' xmlns='jabber:component:accept'><body>dom</body></message>",
      'text/xml',
    );
    broker.output(document.documentElement as object);
    await server.expect('<body>dom</body>');
  });
});

describe('sending from other domains', () => {
  it('S-COMP-4: is refused, unless the option says otherwise', async () => {
    const foreign = xml('message', { to: 'a@b', from: 'x@elsewhere.test', id: 'f' });
    const strict = await rig.ready();
    expect(() => strict.broker.output(foreign)).toThrow(expect.objectContaining({ code: 'USAGE_COMPONENT_ADDRESS' }));
    const free = await rig.ready(dialect({ sendForeign: true }));
    free.broker.output(foreign);
    expect(await free.server.expect('/>')).toContain("from='x@elsewhere.test'");
  });
});
