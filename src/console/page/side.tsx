import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { FiltersPanel } from './filters-panel.js';
import { QueuePanel } from './queue-panel.js';
import { RequestsPanel } from './requests-panel.js';
import { SendPanel } from './send-panel.js';
import type { PanelProps } from './panel.js';
import { StorePanel } from './store-panel.js';
import { TryPanel } from './try-panel.js';
import { count } from './words.js';

interface Tab {
  readonly name: string;
  readonly badge: number;
  readonly panel: (props: PanelProps) => JSX.Element;
}

/** Everything about one broker that is not live, each behind a tab. */
export function Side(props: PanelProps): JSX.Element {
  const { requests, queue, filters, store } = props.state;
  const [chosen, setChosen] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const tabs: readonly Tab[] = [
    { name: 'Requests', badge: requests.total, panel: RequestsPanel },
    { name: 'Queue', badge: queue.total, panel: QueuePanel },
    { name: 'Filters', badge: filters.total, panel: FiltersPanel },
    { name: 'Send', badge: 0, panel: SendPanel },
    { name: 'Try XPath', badge: 0, panel: TryPanel },
    { name: 'Store', badge: store.dead.length + store.left, panel: StorePanel },
  ];
  const move = (to: number): void => {
    const place = (to + tabs.length) % tabs.length;
    setChosen(place);
    list.current?.querySelectorAll('button')[place]?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const to = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  };
  return (
    <section class="card side" aria-label="More about the broker">
      <div class="tabs" role="tablist" aria-label="More about the broker" ref={list} onKeyDown={onKeyDown}>
        {tabs.map(({ name, badge }, place) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${String(place)}`}
            aria-controls={`panel-${String(place)}`}
            aria-selected={place === chosen}
            tabIndex={place === chosen ? 0 : -1}
            onClick={() => setChosen(place)}
          >
            {name}
            {badge > 0 && <span class="count">{count(badge)}</span>}
          </button>
        ))}
      </div>
      {/* All of them stay, with what was typed in them. */}
      {tabs.map(({ name, panel: Panel }, place) => (
        <div
          key={name}
          role="tabpanel"
          id={`panel-${String(place)}`}
          aria-labelledby={`tab-${String(place)}`}
          hidden={place !== chosen}
        >
          <Panel {...props} />
        </div>
      ))}
    </section>
  );
}
