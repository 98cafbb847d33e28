import type { JSX } from 'preact';
import type { PageState } from './state.js';

interface HeaderProps {
  readonly state: PageState;
  readonly choose: (broker: string) => void;
}

/** What stands above everything: which broker it is about, and whether the program still answers. */
export function Header({ state, choose }: HeaderProps): JSX.Element {
  const { brokers, hello, connection, reason } = state;
  return (
    <header>
      <h1>
        xmpp-broker <span>console</span>
      </h1>
      <nav aria-label="Brokers">
        {brokers.map(({ name, state: broker }) => (
          <button
            key={name}
            type="button"
            class="broker"
            aria-current={name === hello?.broker ? 'true' : undefined}
            onClick={() => choose(name)}
          >
            <span class={`dot s-${broker}`} aria-hidden="true" />
            {name} <span class="quiet">{broker}</span>
          </button>
        ))}
      </nav>
      <p class="link" role="status">
        {hello?.readOnly === true && <span class="badge">read only</span>}
        {connection === 'open' && <span class="quiet">{`v${hello?.version ?? ''}`}</span>}
        {connection === 'lost' && <span class="badge bad">{`${reason}; trying again`}</span>}
        {connection === 'refused' && hello !== null && <span class="badge bad">{reason}</span>}
      </p>
    </header>
  );
}
