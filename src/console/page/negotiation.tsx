import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { AttemptLine, Step } from '../messages.js';
import { clock, duration, plural } from './words.js';

/** What a time between two steps was spent on, by the event that begins it. */
const PHASES: Readonly<Record<string, string>> = {
  PCJ_CONNECT: 'looking up',
  PCJ_CONNECTING: 'dialling',
  PCJ_CONNECTED: 'opening',
  PCJ_STREAMSTART: 'stream',
  PCJ_SSLNEGOTIATE: 'TLS',
  PCJ_AUTHNEGOTIATE: 'sign-in',
  PCJ_BINDNEGOTIATE: 'binding',
  PCJ_SESSIONNEGOTIATE: 'session',
};

/** Events after which nothing of the attempt follows. */
const ENDS = /^PCJ_(?:READY|\w+FAIL)$/;

interface Phase {
  readonly name: string;
  readonly ms: number;
}

/** How the last attempts to connect went, step by step. */
export function Negotiation({ attempts }: { readonly attempts: readonly AttemptLine[] }): JSX.Element {
  const [chosen, setChosen] = useState<number | null>(null);
  const attempt = attempts.find(({ number }) => number === chosen) ?? attempts.at(-1);
  return (
    <section class="card negotiation" aria-labelledby="negotiation-title">
      <div class="head">
        <h2 id="negotiation-title">Negotiation</h2>
        {attempts.length > 1 && (
          <label>
            attempt{' '}
            <select
              value={attempt?.number}
              onChange={({ currentTarget }) => {
                const number = Number(currentTarget.value);
                setChosen(number === attempts.at(-1)?.number ? null : number);
              }}
            >
              {attempts.toReversed().map((one) => (
                <option key={one.number} value={one.number}>
                  {`${String(one.number)}: ${outcomeOf(one)}`}
                </option>
              ))}
            </select>
          </label>
        )}
        {attempts.length <= 1 && attempt !== undefined && <span class="quiet">{outcomeOf(attempt)}</span>}
      </div>
      {attempt === undefined ? (
        <p class="quiet">No attempt since the console was opened.</p>
      ) : (
        <>
          <PhaseBar phases={phasesOf(attempt.steps)} />
          <Steps attempt={attempt} />
        </>
      )}
    </section>
  );
}

function PhaseBar({ phases }: { readonly phases: readonly Phase[] }): JSX.Element | null {
  if (phases.length === 0) return null;
  return (
    <ul class="phases" aria-label="What the time went into">
      {phases.map(({ name, ms }) => (
        <li key={name} class="phase" style={{ flexGrow: Math.max(ms, 0.5) }}>
          <span>{name}</span> <span class="quiet">{duration(ms)}</span>
        </li>
      ))}
    </ul>
  );
}

function Steps({ attempt }: { readonly attempt: AttemptLine }): JSX.Element {
  const { steps, left } = attempt;
  const begun = steps[0]?.at ?? 0;
  return (
    <div class="scroll steps" role="region" aria-label="Steps of the attempt" tabIndex={0}>
      <ol aria-label="Steps">
        {steps.map(({ at, event, text, fault }, place) => (
          <li key={place} class={fault ? 'fault' : event === 'PCJ_READY' ? 'good' : ''}>
            <span class="at" title={clock(at)}>{`+${duration(at - begun)}`}</span>{' '}
            <span class="name">{event.replace('PCJ_', '')}</span> <span class="quiet">{text}</span>
          </li>
        ))}
        {left > 0 && <li class="quiet">{`${plural(left, 'step')} in the middle are not kept`}</li>}
      </ol>
    </div>
  );
}

/** The time of an attempt by what it was spent on, each once. */
function phasesOf(steps: readonly Step[]): readonly Phase[] {
  const spent = new Map<string, number>();
  let phase: { readonly name: string; readonly at: number } | null = null;
  for (const { event, at } of steps) {
    const isEnd = ENDS.test(event);
    const begins = PHASES[event];
    if (phase !== null && (isEnd || begins !== undefined)) {
      spent.set(phase.name, (spent.get(phase.name) ?? 0) + (at - phase.at));
    }
    if (isEnd) break;
    if (begins !== undefined) phase = { name: begins, at };
  }
  return [...spent].map(([name, ms]) => ({ name, ms }));
}

/** What became of an attempt, in a few words. */
function outcomeOf({ steps }: AttemptLine): string {
  const begun = steps[0]?.at ?? 0;
  const end = steps.find(({ event }) => ENDS.test(event));
  if (end === undefined) return 'under way';
  const took = duration(end.at - begun);
  if (end.event !== 'PCJ_READY') return `failed after ${took} (${end.event.replace('PCJ_', '')})`;
  const lost = steps.find(({ event }) => event === 'PCJ_SOCKETDISCONNECT');
  return lost === undefined ? `ready in ${took}` : `ready in ${took}, ended after ${duration(lost.at - end.at)}`;
}
