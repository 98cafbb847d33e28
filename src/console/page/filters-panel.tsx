import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ExplainReport } from '../messages.js';
import { reasonOf } from './access.js';
import { Keys } from './keys.js';
import type { PanelProps } from './panel.js';
import { Table } from './table.js';
import { count, duration, plural } from './words.js';

interface Explained {
  readonly index: number;
  readonly report: ExplainReport | null;
  readonly problem: string;
}

/** The filters, what they did so far, and how they are found. */
export function FiltersPanel({ program, state, hello }: PanelProps): JSX.Element {
  const { total, list } = state.filters;
  const [explained, setExplained] = useState<Explained | null>(null);
  if (total === 0) return <p class="quiet nothing">The broker has no filter.</p>;

  const explain = async (index: number, event: string): Promise<void> => {
    if (explained?.index === index) {
      setExplained(null);
      return;
    }
    try {
      const report = await program.order<ExplainReport>('explain', { broker: hello.broker, index, event });
      setExplained({ index, report, problem: '' });
    } catch (error) {
      setExplained({ index, report: null, problem: reasonOf(error) });
    }
  };

  return (
    <>
      <p class="quiet">
        {plural(total, 'filter')}
        {total > list.length ? `, the first ${count(list.length)} are here` : ''}.
      </p>
      <Table caption="Filters" heads={['expression', '#matched', '#tried', '#time', 'event', 'how']}>
        {list.map(
          ({ event, expression, state: filter, evaluated, matched, overruns, milliseconds, subscribers }, index) => (
            <>
              <tr key={index}>
                <td class="code">
                  {expression}
                  {filter === 'set-aside' && <span class="badge bad">set aside</span>}
                  {overruns > 0 && <span class="badge">{plural(overruns, 'overrun')}</span>}
                </td>
                <td class="number strong">{count(matched)}</td>
                <td class="number">{count(evaluated)}</td>
                <td class="number">{duration(milliseconds)}</td>
                <td>
                  {event.replace(/^match #\d+ .*/, 'match()')}
                  {subscribers === 0 && <span class="badge bad">nobody hears it</span>}
                </td>
                <td>
                  <button
                    type="button"
                    class="plain"
                    aria-label={`explain ${expression}`}
                    aria-expanded={explained?.index === index}
                    onClick={() => void explain(index, event)}
                  >
                    explain
                  </button>
                </td>
              </tr>
              {explained?.index === index && (
                <tr key={`${String(index)}-why`}>
                  <td colSpan={6}>
                    <Why explained={explained} />
                  </td>
                </tr>
              )}
            </>
          ),
        )}
      </Table>
    </>
  );
}

function Why({ explained: { report, problem } }: { readonly explained: Explained }): JSX.Element {
  if (report === null) return <p class="problem">{problem}</p>;
  return (
    <div class="why" role="status">
      {report.filters.map(({ expression, reason, keys, warnings, stanzas }, place) => (
        <div key={place}>
          {report.filters.length > 1 && <p class="code">{expression}</p>}
          <p>
            {reason} <span class="quiet">{`${plural(stanzas, 'stanza')} since it was added.`}</span>
          </p>
          <Keys keys={keys} />
          {warnings.map((warning) => (
            <p key={warning} class="problem">
              {warning}
            </p>
          ))}
        </div>
      ))}
    </div>
  );
}
