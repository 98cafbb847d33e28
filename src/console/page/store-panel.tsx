import type { JSX } from 'preact';
import type { PanelProps } from './panel.js';
import { clock, plural } from './words.js';
import { Xml } from './xml.js';

/** What was told of the store of the queue, and what was given up. */
export function StorePanel({ state }: PanelProps): JSX.Element {
  const { told, dead, left } = state.store;
  return (
    <>
      {told.length === 0 ? (
        <p class="quiet nothing">No store told anything since the console was opened.</p>
      ) : (
        <div class="scroll steps" role="region" aria-label="What the store told" tabIndex={0}>
          <ol aria-label="What the store told, newest first">
            {told.map(({ at, event, text, fault }, place) => (
              <li key={place} class={fault ? 'fault' : ''}>
                <span class="at">{clock(at)}</span> <span class="name">{event.replace('PCJ_', '')}</span>{' '}
                <span class="quiet">{text}</span>
              </li>
            ))}
          </ol>
        </div>
      )}
      <h3>Dead letters</h3>
      {dead.length === 0 && <p class="quiet">No stanza was given up.</p>}
      {dead.map(({ at, key, code, text, xml }, place) => (
        <details key={place}>
          <summary>
            <span class="at">{clock(at)}</span> <strong>{code}</strong> <span class="code">{key}</span>
          </summary>
          <p>{text}</p>
          {xml === null ? <p class="quiet">Its text cannot be shown.</p> : <Xml xml={xml} />}
        </details>
      ))}
      {left > 0 && <p class="quiet">{`${plural(left, 'older one')} are not kept here.`}</p>}
    </>
  );
}
