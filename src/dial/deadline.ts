import { BrokerError, type ErrorFacts } from '../errors.js';

/** How long something may take, and who may give it up earlier. */
export interface Limits {
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/**
 * The error of something that was given up. A reason that is a {@link BrokerError}, such as the end of a whole
 * attempt's time, is passed on as it is; anything else becomes the cause of `ABORTED`.
 */
export function abortedError(signal: AbortSignal, what: string, facts: ErrorFacts): BrokerError {
  const reason: unknown = signal.reason;
  if (reason instanceof BrokerError) return reason;
  return new BrokerError('ABORTED', `${what} was given up`, { ...facts, cause: reason });
}

/** @throws BrokerError that of {@link abortedError} when the signal is aborted */
export function throwIfAborted(signal: AbortSignal | undefined, what: string, facts: ErrorFacts): void {
  if (signal?.aborted) throw abortedError(signal, what, facts);
}

/**
 * Waits for a promise, but no longer than the limits allow. The promise may still settle later: nobody hears of it.
 * @param what names the work in the error of an abort
 * @param timedOut makes the error for the end of the time
 */
export function within<T>(
  pending: Promise<T>,
  { timeoutMs, signal }: Limits,
  what: string,
  facts: ErrorFacts,
  timedOut: () => BrokerError,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      finish();
      reject(abortedError(signal as AbortSignal, what, facts));
    };
    const timer = setTimeout(() => {
      finish();
      reject(timedOut());
    }, timeoutMs);
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort);
    pending.then(
      (value) => {
        finish();
        resolve(value);
      },
      (error: unknown) => {
        finish();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it came
        reject(error);
      },
    );
    if (signal?.aborted) onAbort();
  });
}
