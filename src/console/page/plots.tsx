import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import UPlot from 'uplot';
import type { Point } from '../messages.js';
import { ratesOf } from './figures.js';
import { clock, duration, rate } from './words.js';

type Columns = [number[], ...(number | null)[][]];

interface Curve {
  readonly name: string;
  /** Variable of the style sheet with its colour. */
  readonly colour: string;
}

const THROUGHPUT: readonly Curve[] = [
  { name: 'in', colour: '--in' },
  { name: 'out', colour: '--out' },
];
const LATENCY: readonly Curve[] = [{ name: 'answers', colour: '--answer' }];

const DARK = matchMedia('(prefers-color-scheme: dark)');
const HEIGHT = 132;

/** Throughput and latency over the last minutes. */
export function Plots({ points }: { readonly points: readonly Point[] }): JSX.Element {
  const [throughput, latency] = useMemo(() => columnsOf(points), [points]);
  const last = ratesOf(points.slice(-2));
  return (
    <div class="plots">
      <Plot
        title="Stanzas a second"
        now={`${rate(last.stanzasIn)} in, ${rate(last.stanzasOut)} out`}
        curves={THROUGHPUT}
        columns={throughput}
        shown={rate}
      />
      <Plot
        title="Time until an answer"
        now={last.latency === null ? 'no answer in the last second' : duration(last.latency)}
        curves={LATENCY}
        columns={latency}
        shown={duration}
      />
    </div>
  );
}

function columnsOf(points: readonly Point[]): [Columns, Columns] {
  const at: number[] = [];
  const into: number[] = [];
  const out: number[] = [];
  const latency: (number | null)[] = [];
  for (let i = 1; i < points.length; i += 1) {
    const rates = ratesOf(points.slice(i - 1, i + 1));
    at.push((points[i]?.at ?? 0) / 1_000);
    into.push(rates.stanzasIn);
    out.push(rates.stanzasOut);
    latency.push(rates.latency);
  }
  return [
    [at, into, out],
    [at, latency],
  ];
}

interface PlotProps {
  readonly title: string;
  /** The newest values, for those who do not see the plot too. */
  readonly now: string;
  readonly curves: readonly Curve[];
  readonly columns: Columns;
  readonly shown: (value: number) => string;
}

function Plot({ title, now, curves, columns, shown }: PlotProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const dark = useDark();
  useEffect(() => {
    const { current } = place;
    if (current === null) return;
    const drawn = new UPlot(optionsOf(curves, shown, current.clientWidth), columns, current);
    plot.current = drawn;
    const size = new ResizeObserver(() => drawn.setSize({ width: current.clientWidth, height: HEIGHT }));
    size.observe(current);
    return () => {
      size.disconnect();
      drawn.destroy();
      plot.current = null;
    };
    // The columns are set below; colours are those of the scheme.
  }, [curves, shown, dark]);
  useEffect(() => plot.current?.setData(columns), [columns, dark]);
  return (
    <figure class="card plot">
      <figcaption>
        <h2>{title}</h2> <span class="quiet">{now}</span>
        <span class="keys" aria-hidden="true">
          {curves.length > 1 &&
            curves.map(({ name }) => (
              <span key={name} class={`key k-${name}`}>
                {name}
              </span>
            ))}
        </span>
      </figcaption>
      <div ref={place} class="drawn" role="img" aria-label={`${title}: ${now}`} />
    </figure>
  );
}

function optionsOf(curves: readonly Curve[], shown: (value: number) => string, width: number): UPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis: UPlot.Axis = {
    stroke: colour('--quiet'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, max) => [0, Math.max(max, 1) * 1.1] } },
    axes: [
      { ...axis, size: 24, space: 90, values: (_, ticks) => ticks.map((at) => clock(at * 1_000).slice(0, 8)) },
      { ...axis, size: 62, space: 34, values: (_, ticks) => ticks.map(shown) },
    ],
    series: [
      {},
      ...curves.map(({ name, colour: variable }): UPlot.Series => ({
        label: name,
        stroke: colour(variable),
        width: 1.5,
        spanGaps: true,
        points: { show: curves.length === 1, size: 4 },
      })),
    ],
  };
}

function useDark(): boolean {
  const [dark, setDark] = useState(DARK.matches);
  useEffect(() => {
    const changed = (): void => setDark(DARK.matches);
    DARK.addEventListener('change', changed);
    return () => DARK.removeEventListener('change', changed);
  }, []);
  return dark;
}
