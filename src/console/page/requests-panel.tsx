import type { JSX } from 'preact';
import type { PanelProps } from './panel.js';
import { Table } from './table.js';
import { count, duration, plural } from './words.js';

/** Requests that wait for their answers. */
export function RequestsPanel({ state }: PanelProps): JSX.Element {
  const { total, list } = state.requests;
  if (total === 0) return <p class="quiet nothing">No request waits for an answer.</p>;
  const now = Date.now() + state.ahead;
  return (
    <>
      <p class="quiet">
        {plural(total, 'request')} {total === 1 ? 'waits' : 'wait'} for an answer
        {total > list.length ? `, the ${count(list.length)} oldest are here` : ''}.
      </p>
      <Table caption="Pending requests" heads={['#age', 'to', 'answer goes to', 'state', 'id']}>
        {list.map(({ id, to, event, state: stanza, since }) => (
          <tr key={id}>
            <td class="number">{duration(Math.max(0, now - since))}</td>
            <td>{to ?? 'the server'}</td>
            <td>{event ?? 'a promise'}</td>
            <td>{stanza}</td>
            <td class="code">{id}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}
