import { expect, it } from 'vitest';
import { COMPONENT, DOMAIN, header } from './support/component.js';
import { failure, streamError, useRig } from './support/index.js';

const rig = useRig(COMPONENT);

it('delivers what arrives', async () => {
  const { broker, server } = await rig.ready(); // options of the broker, and what the server says, may be given
  const received = broker.events.once('PCJ_NODERECEIVED');
  await server.send(`<message from='a@b' to='${DOMAIN}'><body>x</body></message>`);
  expect((await received).getChildText('body')).toBe('x');
});

it('fails as the server says', async () => {
  const { server, connected, recorded } = await rig.dialled();
  await server.expect('<stream:stream');
  await server.send(header() + streamError('host-unknown'));
  expect(await failure(connected)).toMatchObject({ code: 'STREAM_ERROR', condition: 'host-unknown' });
  expect(recorded.short).not.toContain('READY');
});
