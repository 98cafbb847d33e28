import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { TryReport } from '../messages.js';
import { reasonOf } from './access.js';
import { Keys } from './keys.js';
import type { PanelProps } from './panel.js';
import type { KeptRow } from './state.js';
import { prefixesOf } from './use-stream.js';
import { count, plural } from './words.js';
import { XPathFields } from './xpath-fields.js';

/** Stanzas that an expression is tried against. */
const MOST = 100;

interface Outcome {
  readonly report: TryReport | null;
  readonly rows: readonly KeptRow[];
  readonly problem: string;
}

/** Tries an expression against the stanzas that were seen last, and says why it does not match. */
export function TryPanel({ program, state, hello }: PanelProps): JSX.Element {
  const [xpath, setXPath] = useState('');
  const [prefixes, setPrefixes] = useState('');
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const rows = state.rows.filter(({ xml }) => xml !== null).slice(0, MOST);

  const run = async (): Promise<void> => {
    try {
      const report = await program.order<TryReport>('try', {
        broker: hello.broker,
        xpath: xpath.trim(),
        namespaces: prefixesOf(prefixes),
        stanzas: rows.map(({ xml }) => xml),
      });
      setOutcome({ report, rows, problem: '' });
    } catch (error) {
      setOutcome({ report: null, rows, problem: reasonOf(error) });
    }
  };

  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <XPathFields
        layout="column"
        labels={{ xpath: 'XPath 1.0', prefixes: 'prefixes, with blanks between them' }}
        example="/message[@type='chat']/body"
        xpath={xpath}
        setXPath={setXPath}
        prefixes={prefixes}
        setPrefixes={setPrefixes}
      />
      <div class="buttons">
        <button type="submit" class="primary" disabled={xpath.trim() === ''}>
          Try
        </button>
        <span class="quiet">{`against the last ${plural(rows.length, 'stanza')} of Live. Nothing is added to the broker.`}</span>
      </div>
      <div role="status" data-test="tried">
        {outcome !== null && <Tried outcome={outcome} />}
      </div>
    </form>
  );
}

function Tried({ outcome: { report, rows, problem } }: { readonly outcome: Outcome }): JSX.Element {
  if (report === null) return <p class="problem">{problem}</p>;
  const matching = report.results.flatMap(({ matches, nodes }, at) => (matches ? [{ nodes, row: rows[at] }] : []));
  return (
    <>
      <p class={matching.length > 0 ? 'good' : 'problem'}>
        {`${count(matching.length)} of ${plural(report.results.length, 'stanza')} ${matching.length === 1 ? 'matches' : 'match'}.`}
      </p>
      {report.warnings.map((warning) => (
        <p key={warning} class="problem">
          {warning}
        </p>
      ))}
      {matching.slice(0, 20).map(({ row, nodes }) => (
        <div key={row?.key} class="hit">
          <p>
            <strong>{row?.title}</strong> <span class="quiet">{row?.from ?? row?.to ?? ''}</span>
          </p>
          <ul class="found">
            {nodes.map((node, place) => (
              <li key={place} class="code">
                {node}
              </li>
            ))}
          </ul>
        </div>
      ))}
      {matching.length === 0 &&
        reasonsOf(report).map(([why, times]) => (
          <p key={why}>
            <span class="number">{`${count(times)}×`}</span> {why}
          </p>
        ))}
      <details>
        <summary>How it would be found</summary>
        <p>{report.reason}</p>
        <Keys keys={report.keys} />
      </details>
    </>
  );
}

/** Why nothing matches: each reason once, the most frequent first. */
function reasonsOf({ results }: TryReport): readonly (readonly [why: string, times: number])[] {
  const times = new Map<string, number>();
  for (const { why } of results) if (why !== null) times.set(why, (times.get(why) ?? 0) + 1);
  return [...times].sort(([, a], [, b]) => b - a).slice(0, 8);
}
