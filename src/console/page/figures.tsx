import type { JSX } from 'preact';
import type { Point } from '../messages.js';
import type { PageState } from './state.js';
import { bytes, count, duration, rate } from './words.js';

/** How the broker stands, in a few numbers. */
export function Figures({ state }: { readonly state: PageState }): JSX.Element {
  const { hello, brokers, points, ahead } = state;
  const line = brokers.find(({ name }) => name === hello?.broker);
  const { stanzasIn, stanzasOut, bytesIn, bytesOut, latency } = ratesOf(points.slice(-2));
  const broker = line?.state ?? 'idle';
  const readyFor = line?.lastReadyAt == null ? null : Date.now() + ahead - line.lastReadyAt;
  const figures: readonly (readonly [name: string, value: string, more: string])[] = [
    ['in', `${rate(stanzasIn)}/s`, `${bytes(bytesIn)}/s`],
    ['out', `${rate(stanzasOut)}/s`, `${bytes(bytesOut)}/s`],
    ['answers take', latency === null ? '–' : duration(latency), 'mean of the last second'],
    ['pending', count(line?.pending ?? 0), 'requests'],
    ['held', count(line?.held ?? 0), 'in the queue'],
    ['unacknowledged', count(line?.unacknowledged ?? 0), 'stanzas'],
    ['reconnects', count(line?.reconnects ?? 0), 'so far'],
  ];
  return (
    <section class="figures" aria-label="How it stands">
      <div class="who">
        <p>
          <strong class={`pill s-${broker}`} data-test="state" role="status">
            {broker}
          </strong>{' '}
          <span class="jid">{line?.jid ?? hello?.broker ?? ''}</span>
        </p>
        <p class="quiet">
          {broker === 'ready' && readyFor !== null && `for ${duration(Math.max(0, readyFor))} · `}
          {hello?.facts
            .filter(([name]) => name !== 'account')
            .map(([name, value]) => `${name} ${value}`)
            .join(' · ')}
        </p>
      </div>
      <dl>
        {figures.map(([name, value, more]) => (
          <div key={name} data-test={`figure-${name}`}>
            <dt>{name}</dt>
            <dd>
              <span class="number">{value}</span> <span class="quiet">{more}</span>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** What was counted between two points, for each second. */
export function ratesOf([before, after]: readonly Point[]): {
  stanzasIn: number;
  stanzasOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Null: no answer came. */
  latency: number | null;
} {
  if (before === undefined || after === undefined || after.at <= before.at) {
    return { stanzasIn: 0, stanzasOut: 0, bytesIn: 0, bytesOut: 0, latency: null };
  }
  const seconds = (after.at - before.at) / 1_000;
  const answers = after.answers - before.answers;
  return {
    stanzasIn: (after.stanzasIn - before.stanzasIn) / seconds,
    stanzasOut: (after.stanzasOut - before.stanzasOut) / seconds,
    bytesIn: (after.bytesIn - before.bytesIn) / seconds,
    bytesOut: (after.bytesOut - before.bytesOut) / seconds,
    latency: answers > 0 ? (after.answerMs - before.answerMs) / answers : null,
  };
}
