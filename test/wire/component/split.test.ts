import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Broker, BrokerError, Element, JID, NS, serialize, xml, type FilterMatch } from 'xmpp-broker';
import { ALL_EVENTS } from '../../support/trace.js';
import { MemoryPipe } from '../support/memory-pipe.js';
import { COMPONENT, DOMAIN, header } from '../support/component.js';
import { brokerOptions, streamHeader } from '../support/index.js';

const HEADER = `<?xml version='1.0'?>${header('S&amp;1ü')}`;
const REFUSAL = `<stream:error><not-authorized xmlns='${NS.STREAMS}'/><text xmlns='${NS.STREAMS}'>nein: €</text></stream:error></stream:stream>`;
const STANZAS = [
  `<message from='a@b' to='${DOMAIN}' id='1'><body>grüße &amp; &#x20AC; 😀<![CDATA[ <x/> ]]></body></message>`,
  `\n<iq type='result' id='asked' from='b.c' to='${DOMAIN}'><q xmlns='urn:x'/></iq> `,
  `<stream:features/><message xmlns='jabber:client' from='a@b' to='${DOMAIN}' id="2"><x:y xmlns:x='urn:y' x:z='1'/></message>`,
].join('');

/** What a server says behind our header, from its first byte to its last. */
const TRANSCRIPTS = {
  'a session': `${HEADER}<handshake/>${STANZAS}</stream:stream>`,
  'a refused secret': `${HEADER}${REFUSAL}`,
  'a name nobody knows': `${streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: '', from: null, version: '1.0' })}<stream:error><host-unknown xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`,
  'broken XML while ready': `${HEADER}<handshake/><message id='1'/><message>&nbsp;</message><message id='2'/>`,
  'a stream error while ready': `${HEADER}<handshake/><message id='1'/><stream:error><conflict xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`,
  'a stanza too early': `${HEADER}<message id='1'/><handshake/>`,
};

interface Outcome {
  readonly events: readonly string[];
  readonly sent: string;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Plays a transcript, cut at the given offsets, each piece in a turn of its own or all in one. */
async function play(transcript: Buffer, cuts: readonly number[], pause: boolean): Promise<Outcome> {
  const pipe = new MemoryPipe();
  const broker = new Broker({
    ...brokerOptions(COMPONENT, 1),
    host: 'h',
    tls: { policy: 'disabled' },
    connector: () => pipe,
  });
  const events: string[] = [];
  for (const name of ALL_EVENTS) broker.subscribe(name, (payload) => events.push(`${name} ${shown(payload)}`));
  broker.filters.add('body', '//body');
  broker.subscribe('body', (match) => events.push(`body ${(match as FilterMatch).nodes.map(shown).join()}`));
  let asked = Promise.resolve();
  broker.subscribe('PCJ_READY', () => {
    asked = broker
      .request(xml('iq', { type: 'get', id: 'asked', to: 'b.c' }, xml('q', { xmlns: 'urn:x' })))
      .then((answer) => void events.push(`answer ${shown(answer)}`))
      .catch((error: unknown) => void events.push(`no answer ${shown(error)}`));
  });
  const opened = new Promise<void>((resolve) => (pipe.onSent = resolve));
  const finished = new Promise<void>((resolve) => (pipe.onFinished = resolve));
  const { closed } = broker;
  const connected = broker.connect().then(
    () => 'connected',
    (error: unknown) => shown(error),
  );
  await opened;
  pipe.onSent = () => undefined;
  let from = 0;
  for (const to of [...cuts, transcript.length]) {
    pipe.feed(transcript.subarray(from, to));
    from = to;
    if (pause) await turn();
  }
  void finished.then(() => {
    pipe.finish();
  });
  const ends = [`closed ${shown(await closed)}`, `promise ${await connected}`];
  await asked;
  broker.halt();
  return { events: settledLast([...events, ...ends]), sent: pipe.sent };
}

/** Promises are told in a later step than the event they go with: put them behind all events. */
function settledLast(events: readonly string[]): string[] {
  const isPromise = (event: string) => /^(answer|no answer|closed|promise) /.test(event);
  return [...events.filter((event) => !isPromise(event)), ...events.filter(isPromise)];
}

function shown(value: unknown): string {
  if (value instanceof Element) return value.localName === 'stream' ? value.nodeName : serialize(value);
  if (value instanceof BrokerError) {
    const { code, condition, phase, text, offset, message } = value;
    return JSON.stringify({ code, condition, phase, text, offset, message });
  }
  if (value instanceof JID) return value.toString();
  if (typeof value !== 'object' || value === null) return String(value);
  return JSON.stringify(Object.entries(value).map(([name, one]) => [name, shown(one)]));
}

describe('G1: where the bytes of a server are cut makes no difference', () => {
  it.each(Object.entries(TRANSCRIPTS))('%s', { timeout: 120_000 }, async (_, text) => {
    const transcript = Buffer.from(text);
    const whole = await play(transcript, [], true);
    expect(whole.sent).toContain('<stream:stream');
    expect(whole.events.at(-1)).toMatch(/^promise /);
    const every = Array.from({ length: transcript.length - 1 }, (__, index) => index + 1);
    const check = async (cuts: readonly number[], pause: boolean) => {
      const outcome = await play(transcript, cuts, pause);
      if (outcome.sent === whole.sent && outcome.events.join('\n') === whole.events.join('\n')) return;
      const where = cuts === every ? 'every byte' : cuts.join(', ');
      expect(outcome, `cut at ${where}${pause ? '' : ', in one turn'}`).toEqual(whole);
    };
    await check(every, true);
    await check(every, false);
    for (const cut of every) await check([cut], true);
    const somewhere = fc.uniqueArray(fc.integer({ min: 1, max: transcript.length - 1 }), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(somewhere, fc.boolean(), (cuts, pause) =>
        check(
          cuts.toSorted((one, other) => one - other),
          pause,
        ),
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  it('the transcripts do what they say', async () => {
    const ends: Record<string, string[]> = {};
    for (const [name, text] of Object.entries(TRANSCRIPTS)) {
      const { events } = await play(Buffer.from(text), [], true);
      ends[name] = events
        .filter((event) => !/^(answer|no answer|closed|promise) /.test(event))
        .map((event) => event.split(' ', 1)[0]!.replace('PCJ_', ''));
    }
    const opening = ['CONNECT', 'CONNECTING', 'CONNECTED', 'STREAMSTART', 'NODESENT'];
    const ready = [...opening, 'AUTHNEGOTIATE', 'NODESENT', 'AUTHSUCCESS', 'READY', 'RTS_START', 'NODESENT'];
    const tail = ['STREAMEND', 'SHUTDOWN_START', 'SOCKETDISCONNECT', 'SHUTDOWN_FINISH'];
    expect(ends).toEqual({
      'a session': [
        ...ready,
        'body',
        'NODERECEIVED',
        'RTS_FINISH',
        'PROTOCOLERROR',
        'NODERECEIVED',
        'SOCKETFAIL',
        'SOCKETDISCONNECT',
      ],
      'a refused secret': [...opening, 'AUTHNEGOTIATE', 'NODESENT', 'AUTHFAIL', ...tail],
      'a name nobody knows': [...opening, 'CONNECTFAIL', ...tail],
      'broken XML while ready': [
        ...ready,
        'NODERECEIVED',
        'PROTOCOLERROR',
        'SOCKETFAIL',
        'SOCKETDISCONNECT',
        'RTS_FAIL',
      ],
      'a stream error while ready': [
        ...ready,
        'NODERECEIVED',
        'PROTOCOLERROR',
        'SOCKETFAIL',
        'SOCKETDISCONNECT',
        'RTS_FAIL',
      ],
      'a stanza too early': [...opening, 'AUTHNEGOTIATE', 'NODESENT', 'AUTHFAIL', ...tail],
    });
  });
});
