import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { KINDS, type Action, type KeptRow, type PageState } from './state.js';
import type { Wish } from './use-stream.js';
import { clock, count, plural } from './words.js';
import { Xml } from './xml.js';
import { XPathFields } from './xpath-fields.js';

interface LiveProps {
  readonly state: PageState;
  readonly change: (action: Action) => void;
  readonly wish: Wish;
  readonly setWish: (wish: Wish) => void;
}

/** What happens, as it happens: stanzas and events, newest first. */
export function Live({ state, change, wish, setWish }: LiveProps): JSX.Element {
  const [find, setFind] = useState('');
  const [open, setOpen] = useState<string | null>(null);
  const { rows, waiting, paused, traffic } = state;
  const wanted = find.toLowerCase();
  const shown = wanted === '' ? rows : rows.filter((row) => textOf(row).includes(wanted));
  return (
    <section class="card live" aria-labelledby="live-title">
      <div class="head">
        <h2 id="live-title">Live</h2>
        <div class="buttons">
          <button
            type="button"
            class={paused ? 'primary' : ''}
            onClick={() => change({ do: 'pause', paused: !paused })}
          >
            {paused ? `Go on${waiting.length > 0 ? ` (${count(waiting.length)} new)` : ''}` : 'Pause'}
          </button>
          <button type="button" onClick={() => change({ do: 'clear' })}>
            Clear
          </button>
        </div>
      </div>
      <div class="chips" role="group" aria-label="What is shown">
        {KINDS.map(([kind, name]) => {
          const isOn = wish.kinds.includes(kind);
          const kinds = isOn ? wish.kinds.filter((one) => one !== kind) : [...wish.kinds, kind];
          return (
            <button
              key={kind}
              type="button"
              class={`chip c-${kind}`}
              aria-pressed={isOn}
              onClick={() => setWish({ ...wish, kinds })}
            >
              {name}
            </button>
          );
        })}
      </div>
      <XPathForm key={state.hello?.broker} wish={wish} setWish={setWish} />
      {state.connection === 'refused' && (
        <p class="problem" role="alert">
          {state.reason}
        </p>
      )}
      <label class="field">
        <span>find in what is shown</span>
        <input
          type="search"
          value={find}
          placeholder="text"
          onInput={({ currentTarget }) => setFind(currentTarget.value)}
        />
      </label>
      <Left traffic={traffic} />
      <ol class="rows" hidden={shown.length === 0} aria-label="What happened, newest first">
        {shown.map((row) => (
          <Line
            key={row.key}
            row={row}
            isOpen={open === row.key}
            toggle={() => {
              setOpen(open === row.key ? null : row.key);
              // What is read stands still.
              if (open !== row.key) change({ do: 'pause', paused: true });
            }}
          />
        ))}
      </ol>
      {shown.length === 0 && (
        <p class="quiet nothing">
          {rows.length === 0 ? 'Nothing happened since the page was opened.' : 'Nothing fits.'}
        </p>
      )}
    </section>
  );
}

/** The filter that runs in the program, over everything and not only what is shown. */
function XPathForm({ wish, setWish }: Pick<LiveProps, 'wish' | 'setWish'>): JSX.Element {
  const [xpath, setXPath] = useState(wish.xpath);
  const [prefixes, setPrefixes] = useState(wish.prefixes);
  return (
    <form
      class="fields"
      onSubmit={(event) => {
        event.preventDefault();
        setWish({ ...wish, xpath: xpath.trim(), prefixes: prefixes.trim() });
      }}
    >
      <XPathFields
        layout="wide"
        labels={{ xpath: 'only stanzas that match', prefixes: 'prefixes' }}
        example="/message[body]"
        xpath={xpath}
        setXPath={setXPath}
        prefixes={prefixes}
        setPrefixes={setPrefixes}
      />
      <button type="submit">Filter</button>
    </form>
  );
}

/** Says when there is more than is shown. */
function Left({ traffic }: { readonly traffic: PageState['traffic'] }): JSX.Element | null {
  if (traffic === null || (traffic.left === 0 && !traffic.aside)) return null;
  if (traffic.aside) {
    return (
      <p class="problem" role="alert">
        The expression costs too much for these stanzas, and is not tried any more.
      </p>
    );
  }
  return (
    <p class="sampled" role="status" data-test="sampled">
      A sample: {plural(traffic.seen - traffic.left, 'row')} of {count(traffic.seen)} in the last moment. A filter shows
      more of what you look for.
    </p>
  );
}

interface LineProps {
  readonly row: KeptRow;
  readonly isOpen: boolean;
  readonly toggle: () => void;
}

function Line({ row, isOpen, toggle }: LineProps): JSX.Element {
  const { at, what, title, text, from, to, xml } = row;
  const name = KINDS.find(([kind]) => kind === what)?.[1] ?? what;
  return (
    <li class={`row r-${what}`}>
      <button type="button" aria-expanded={isOpen} onClick={toggle}>
        <span class="at">{clock(at)}</span> <span class="kind">{name}</span>{' '}
        <span class="title">{title.replace('PCJ_', '')}</span> <Way from={from} to={to} />{' '}
        <span class="text">{text}</span>
      </button>
      {isOpen && (
        <div class="opened">
          {xml === null ? <p>{text === '' ? 'There is nothing more to it.' : text}</p> : <Xml xml={xml} />}
        </div>
      )}
    </li>
  );
}

function Way({ from, to }: Pick<KeptRow, 'from' | 'to'>): JSX.Element {
  return (
    <span class="way">
      {from}
      {to !== null && (
        <>
          <span aria-hidden="true"> → </span>
          <span class="unseen"> to </span>
          {to}
        </>
      )}
    </span>
  );
}

function textOf({ title, text, from, to, xml }: KeptRow): string {
  return `${title} ${text} ${from ?? ''} ${to ?? ''} ${xml ?? ''}`.toLowerCase();
}
