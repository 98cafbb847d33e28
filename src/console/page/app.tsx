import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Program } from './access.js';
import { Figures } from './figures.js';
import { Header } from './header.js';
import { Live } from './live.js';
import { Plots } from './plots.js';
import { Side } from './side.js';
import type { RowKind } from '../messages.js';
import { KINDS } from './state.js';
import { Negotiation } from './negotiation.js';
import { useStream, type Wish } from './use-stream.js';

/** What is shown at first: everything but the details. */
const FIRST: readonly RowKind[] = KINDS.map(([kind]) => kind).filter((kind) => kind !== 'detail');

/** The page. */
export function App({ program }: { readonly program: Program }): JSX.Element {
  const [wish, setWish] = useState<Wish>({ broker: '', kinds: FIRST, xpath: '', prefixes: '' });
  const [state, change] = useStream(program, wish);
  const { hello, connection, reason } = state;
  const isRefused = connection === 'refused' && hello === null;
  return (
    <>
      <Header state={state} choose={(broker) => setWish({ ...wish, broker, xpath: '' })} />
      <main>
        {hello === null ? (
          <p class="alone" role={isRefused ? 'alert' : 'status'}>
            {connection === 'connecting'
              ? 'Asking the program…'
              : `${reason[0]?.toUpperCase() ?? ''}${reason.slice(1)}.`}
          </p>
        ) : (
          <>
            <Figures state={state} />
            <Plots points={state.points} />
            <Negotiation attempts={state.attempts} />
            <div class="columns">
              <Live state={state} change={change} wish={wish} setWish={setWish} />
              <Side key={hello.broker} program={program} state={state} hello={hello} />
            </div>
          </>
        )}
      </main>
    </>
  );
}
