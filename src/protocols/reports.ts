// What a dialect may report.
import { shown } from '../arguments/values.js';
import { usageError } from '../errors.js';
import EVENTS, { type StatusEvent } from '../events.js';

const REPORTED: readonly unknown[] = Object.keys(EVENTS).filter((name) => 'dialect' in EVENTS[name as StatusEvent]);

/** @throws BrokerError `USAGE_EVENT_RESERVED` for an event that only the broker publishes, or that does not exist */
export function checkReport(event: unknown): void {
  if (REPORTED.includes(event)) return;
  throw usageError('USAGE_EVENT_RESERVED', `a dialect may not publish ${shown(event)}, but ${REPORTED.join(', ')}`);
}
