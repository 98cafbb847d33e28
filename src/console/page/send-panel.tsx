import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { SendReport } from '../messages.js';
import { reasonOf, Refused } from './access.js';
import type { PanelProps } from './panel.js';
import { Xml } from './xml.js';

/** What one may begin with. */
const BEGINNINGS: readonly (readonly [name: string, xml: string])[] = [
  ['message', "<message to='' type='chat'>\n  <body></body>\n</message>"],
  ['presence', '<presence/>'],
  ['ping', "<iq type='get' to=''>\n  <ping xmlns='urn:xmpp:ping'/>\n</iq>"],
  ['disco', "<iq type='get' to=''>\n  <query xmlns='http://jabber.org/protocol/disco#info'/>\n</iq>"],
];

const STATES: Readonly<Record<string, string>> = {
  held: 'Held in the queue: the broker is not ready.',
  queued: 'On its way to the socket.',
  sent: 'Sent.',
  acked: 'Sent, and acknowledged.',
  answered: 'Answered:',
  refused: 'Refused by whom it was for:',
};

interface Outcome {
  readonly text: string;
  readonly answer: string | null;
  readonly isBad: boolean;
}

/** Sends a stanza that somebody writes. */
export function SendPanel({ program, hello }: PanelProps): JSX.Element {
  const [xml, setXml] = useState('');
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [isBusy, setBusy] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  if (hello.readOnly) return <p class="quiet nothing">This console only reads.</p>;

  const send = async (): Promise<void> => {
    setBusy(true);
    setOutcome(null);
    try {
      const { state, answer } = await program.order<SendReport>('send', { broker: hello.broker, xml: xml.trim() });
      setOutcome({ text: STATES[state] ?? state, answer, isBad: state === 'refused' });
    } catch (error) {
      setOutcome({ text: `Nothing was sent: ${reasonOf(error)}`, answer: null, isBad: true });
      const offset = error instanceof Refused ? error.refusal.offset : null;
      area.current?.focus();
      if (offset !== null) area.current?.setSelectionRange(offset, offset);
    }
    setBusy(false);
  };

  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <div class="buttons" role="group" aria-label="Begin with">
        <span class="quiet">begin with</span>
        {BEGINNINGS.map(([name, beginning]) => (
          <button
            key={name}
            type="button"
            class="small"
            onClick={() => {
              setXml(beginning);
              area.current?.focus();
            }}
          >
            {name}
          </button>
        ))}
      </div>
      <label class="field column">
        <span>one stanza, as XML</span>
        <textarea
          ref={area}
          rows={7}
          spellcheck={false}
          autocapitalize="off"
          value={xml}
          onInput={({ currentTarget }) => setXml(currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !isBusy) void send();
          }}
        />
      </label>
      <div class="buttons">
        <button type="submit" class="primary" disabled={isBusy || xml.trim() === ''}>
          {isBusy ? 'Waiting for the answer…' : 'Send'}
        </button>
        <span class="quiet">Ctrl+Enter sends, too. The answer to a request is shown here.</span>
      </div>
      <div role="status" data-test="sent">
        {outcome !== null && <p class={outcome.isBad ? 'problem' : 'good'}>{outcome.text}</p>}
        {outcome?.answer != null && <Xml xml={outcome.answer} />}
      </div>
    </form>
  );
}
