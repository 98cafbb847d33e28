// Numbers and times in words.

const INTEGERS = new Intl.NumberFormat('en');
const TENTHS = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

export const count = (value: number): string => INTEGERS.format(Math.round(value));

export function rate(value: number): string {
  return value < 10 ? TENTHS.format(value) : count(value);
}

export function bytes(value: number): string {
  if (value < 1_024) return `${count(value)} B`;
  if (value < 1_048_576) return `${TENTHS.format(value / 1_024)} KiB`;
  return `${TENTHS.format(value / 1_048_576)} MiB`;
}

/** A time that something takes. */
export function duration(ms: number): string {
  if (ms < 100) return `${TENTHS.format(ms)} ms`;
  if (ms < 1_000) return `${count(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${TENTHS.format(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${String(minutes)} min ${String(Math.floor(seconds % 60))} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${String(hours)} h ${String(minutes % 60)} min`;
  return `${count(Math.floor(hours / 24))} days`;
}

/** A time of the day. */
export function clock(at: number): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const fraction = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${fraction}`;
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
