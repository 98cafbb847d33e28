// faults A12: how a component and a service at the router find out that their server does not work any more.
import { describe, expect, it } from 'vitest';
import { trace } from '../support/trace.js';
import { COMPONENT, DOMAIN } from './support/component.js';
import type { Conversation } from './support/conversation.js';
import { useRig, type RigDialect, type Said } from './support/rig.js';
import { answer, ROUTER, SERVICE } from './support/service.js';

interface Question {
  readonly id: string;
  readonly text: string;
}

const OFTEN = { intervalMs: 40, timeoutMs: 500 };
const SOON = { intervalMs: 40, timeoutMs: 60 };

async function asked(server: Conversation, name: string): Promise<Question> {
  const text = await server.expect(new RegExp(`<${name} [^>]*(/>|>.*?</${name}>)`, 's'));
  return { id: /id='([^']+)'/.exec(text)?.[1] ?? '', text };
}

const failed = "<error type='cancel'><x xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
const to = ({ text }: Question): string => /to='([^']+)'/.exec(text)?.[1] ?? '';

const DIALECTS: readonly (readonly [
  string,
  RigDialect<Said>,
  string,
  (readonly [string, (q: Question) => string])[],
])[] = [
  [
    'a component',
    COMPONENT,
    'iq',
    [
      ['the question itself', ({ text }) => text],
      ['an error', (q) => `<iq type='error' id='${q.id}' from='${to(q)}' to='${to(q)}'>${failed}</iq>`],
      ['an error with the addresses of somebody else', ({ id }) => `<iq type='error' id='${id}' from='x' to='y'/>`],
      ['a result', (q) => `<iq type='result' id='${q.id}' from='${to(q)}' to='${to(q)}'/>`],
    ],
  ],
  [
    'the router',
    SERVICE,
    'unbind',
    [
      ['an error', ({ id }) => answer(id, "error='404'", 'unbind')],
      ['the name', ({ id }) => answer(id, '', 'unbind')],
    ],
  ],
];

describe.each(DIALECTS)('faults A12: %s', (_, dialect, name, answers) => {
  const rig = useRig(dialect);

  it.each(answers)('%s is a proof of life, and nobody hears of it', async (_name, say) => {
    const { broker, server } = await rig.ready({ liveness: OFTEN });
    const recorded = trace(broker);
    broker.filters.add('all', '/*');
    let matched = 0;
    broker.subscribe('all', () => (matched += 1));
    for (let round = 0; round < 3; round += 1) await server.send(say(await asked(server, name)));
    await asked(server, name);
    expect([broker.state, recorded.short, matched]).toEqual(['ready', [], 0]);
    expect(server.unread).toBe('');
  });

  it('silence ends the link', async () => {
    const { broker, server } = await rig.ready({ liveness: SOON });
    const { closed } = broker;
    await asked(server, name);
    expect(await closed).toMatchObject({ error: { code: 'LIVENESS_TIMEOUT', retryable: true } });
  });

  it('so does a server that neither reads nor writes', async () => {
    const { broker, server } = await rig.ready({ liveness: SOON });
    server.pause();
    expect(await broker.closed).toMatchObject({ error: { code: 'LIVENESS_TIMEOUT' } });
  });

  it('anything else is a sign of life, and an answer may be late', async () => {
    const { broker, server } = await rig.ready({ liveness: OFTEN });
    const recorded = trace(broker);
    const first = await asked(server, name);
    await server.send(' ');
    const second = await asked(server, name);
    const say = answers[0]![1];
    await server.send(say(first) + say(second));
    await asked(server, name);
    expect([broker.state, recorded.short]).toEqual(['ready', []]);
  });

  it('without liveness nothing is asked', async () => {
    const { broker } = await rig.ready({ liveness: false });
    expect(broker.config.liveness).toBe(false);
  });
});

describe('faults A12: a component that shares its name with other connections', () => {
  const rig = useRig(COMPONENT);
  const probe = (hops: string, from = `x@${DOMAIN}`, type = 'get') =>
    `<iq type='${type}' from='${from}' to='${from}' id='theirs'><probe xmlns='urn:xmpp-broker:probe' ${hops}/></iq>`;

  it('sends a question of another one on, a few times, from a new address', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    await server.send(probe(''));
    const { text, id } = await asked(server, 'iq');
    expect(id).toBe('theirs');
    expect(text).toContain("hops='1'");
    expect(text).not.toContain('x@');
    await server.send(probe("hops='7'") + probe("hops='8'") + probe("hops='x'") + probe('', `x@${DOMAIN}`, 'error'));
    expect((await asked(server, 'iq')).text).toContain("hops='8'");
    await server.send(`<message from='a@b' to='${DOMAIN}'/>`);
    await broker.events.once('PCJ_NODERECEIVED');
    expect(server.unread).toBe('');
    expect(recorded.short.filter((one) => one === 'NODERECEIVED')).toHaveLength(1);
  });

  it('delivers what looks like one and comes from elsewhere', async () => {
    const { broker, server } = await rig.ready();
    const seen = broker.events.once('PCJ_NODERECEIVED');
    await server.send(probe('', 'a@elsewhere.example').replace("to='a@elsewhere.example'", `to='${DOMAIN}'`));
    expect((await seen).getAttribute('id')).toBe('theirs');
  });
});

describe('faults A12: a router that holds what is for us, because we asked it to', () => {
  const rig = useRig(SERVICE);

  it('is not asked', async () => {
    const { broker, server } = await rig.ready({ liveness: SOON });
    broker.output(`<throttle xmlns='${ROUTER}'/>`);
    await server.expect('<throttle');
    await server.send(`<throttle xmlns='${ROUTER}'/>`);
    await server.expect('    ');
    expect(broker.state).toBe('ready');
    expect(server.received.toString()).not.toContain('<unbind');
  });
});
