import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { QueueReport } from '../messages.js';
import { reasonOf } from './access.js';
import { Confirm } from './confirm.js';
import type { PanelProps } from './panel.js';
import { Table } from './table.js';
import { bytes, count, duration, plural } from './words.js';
import { Xml } from './xml.js';

type Action = 'send' | 'drop';

/** What came of an order. */
interface Report {
  readonly text: string;
}

/** What is held, to be sent or dropped by selection. */
export function QueuePanel({ program, state, hello }: PanelProps): JSX.Element {
  const { total, bytes: size, list } = state.queue;
  const [picked, setPicked] = useState<ReadonlySet<number>>(new Set());
  const [open, setOpen] = useState<number | null>(null);
  const [asking, setAsking] = useState<Action | null>(null);
  const [report, setReport] = useState<Report | null>(null);
  const told = useRef<HTMLParagraphElement>(null);
  // The buttons may not do anything any more, so the focus goes to what they did.
  useEffect(() => {
    if (report !== null) told.current?.focus();
  }, [report]);
  // What is not held any more is not picked.
  const ids = list.map(({ id }) => id).filter((id) => picked.has(id));
  const now = Date.now() + state.ahead;
  const broker = state.brokers.find(({ name }) => name === hello.broker)?.state;

  const pick = (id: number, isPicked: boolean): void => {
    const next = new Set(ids);
    if (isPicked) next.add(id);
    else next.delete(id);
    setPicked(next);
  };
  const run = async (action: Action): Promise<void> => {
    try {
      const { done } = await program.order<QueueReport>('queue', { broker: hello.broker, action, ids });
      setReport({ text: `${plural(done, 'stanza')} ${action === 'send' ? 'sent' : 'dropped'}.` });
      setPicked(new Set());
    } catch (error) {
      setReport({ text: `Nothing was done: ${reasonOf(error)}.` });
    }
  };

  return (
    <>
      <p class="report" role="status" ref={told} tabIndex={-1}>
        {report?.text}
      </p>
      {total === 0 ? (
        <p class="quiet nothing">Nothing is held.</p>
      ) : (
        <>
          <p class="quiet">
            {plural(total, 'stanza')} {total === 1 ? 'is' : 'are'} held, {bytes(size)}
            {total > list.length ? `; the ${count(list.length)} oldest are here` : ''}.
          </p>
          {!hello.readOnly && (
            <div class="buttons">
              <button type="button" disabled={ids.length === 0 || broker !== 'ready'} onClick={() => setAsking('send')}>
                {ids.length === 0 ? 'Send' : `Send ${count(ids.length)}`}…
              </button>
              <button type="button" class="danger" disabled={ids.length === 0} onClick={() => setAsking('drop')}>
                {ids.length === 0 ? 'Drop' : `Drop ${count(ids.length)}`}…
              </button>
              {broker !== 'ready' && <span class="quiet">Sending needs a ready broker.</span>}
            </div>
          )}
          <Table caption="Held stanzas, oldest first" heads={[PICK, '#age', 'stanza', 'to', '#size', '#tried']}>
            {!hello.readOnly && (
              <tr class="all">
                <td>
                  <input
                    type="checkbox"
                    aria-label="pick all that are listed"
                    checked={ids.length === list.length}
                    onChange={({ currentTarget }) =>
                      setPicked(new Set(currentTarget.checked ? list.map(({ id }) => id) : []))
                    }
                  />
                </td>
                <td colSpan={5} class="quiet">
                  all that are listed
                </td>
              </tr>
            )}
            {list.map(({ id, title, to, bytes: length, since, attempts, possibleDuplicate, xml }) => (
              <>
                <tr key={id}>
                  <td>
                    {!hello.readOnly && (
                      <input
                        type="checkbox"
                        aria-label={`pick ${title} ${String(id)}`}
                        checked={picked.has(id)}
                        onChange={({ currentTarget }) => pick(id, currentTarget.checked)}
                      />
                    )}
                  </td>
                  <td class="number">{duration(Math.max(0, now - since))}</td>
                  <td>
                    <button
                      type="button"
                      class="plain"
                      aria-expanded={open === id}
                      onClick={() => setOpen(open === id ? null : id)}
                    >
                      {title}
                    </button>
                    {possibleDuplicate && <span class="badge">may be a duplicate</span>}
                  </td>
                  <td>{to ?? 'the server'}</td>
                  <td class="number">{bytes(length)}</td>
                  <td class="number">{count(attempts)}</td>
                </tr>
                {open === id && (
                  <tr key={`${String(id)}-xml`}>
                    <td colSpan={6}>
                      {xml === null ? <p class="quiet">It is too long to be shown.</p> : <Xml xml={xml} />}
                    </td>
                  </tr>
                )}
              </>
            ))}
          </Table>
        </>
      )}
      {asking !== null && (
        <Confirm
          title={`${asking === 'send' ? 'Send' : 'Drop'} ${plural(ids.length, 'stanza')}?`}
          text={
            asking === 'send'
              ? `${hello.broker} sends what is picked now, in its order. What may be a duplicate may arrive twice.`
              : 'What is picked will never be sent. This cannot be undone.'
          }
          yes={asking === 'send' ? 'Send' : 'Drop'}
          isDangerous={asking === 'drop'}
          done={(yes) => {
            setAsking(null);
            if (yes) void run(asking);
          }}
        />
      )}
    </>
  );
}

/** Head of the column with the boxes. */
const PICK = 'pick';
