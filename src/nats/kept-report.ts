// How a stanza ended, where NATS keeps that (`keepReportsMs`).
import type { NatsLink } from './connection.js';
import { isStreamMissing, noReports } from './errors.js';
import { headerText } from './headers.js';
import { reportsOf, type TicketReport } from './reports.js';
import type { Subjects } from './subjects.js';

/** For the report, and for whether there is a stream of them, in milliseconds. */
const REPORT_MS = 2_000;
const STREAM_MS = 5_000;

/**
 * @param producer token of its subject
 * @returns null: it is not known, or not over
 * @throws BrokerError `NATS_NO_STREAM`, `NATS_DENIED`, `NATS_UNREACHABLE`
 */
export async function keptReport(
  link: NatsLink,
  subjects: Subjects,
  producer: string,
  key: string,
): Promise<TicketReport | null> {
  const { client, connection } = link;
  const subject = subjects.reportOf(producer, headerText(key));
  try {
    const manager = await client.jetstream.jetstreamManager(connection, { checkAPI: false, timeout: REPORT_MS });
    const found = await manager.direct.getMessage(subjects.reportStream, { last_by_subj: subject });
    const report = found === null ? undefined : reportsOf(found.string())?.[0];
    return report === undefined ? null : { ...report, key };
  } catch (cause) {
    if (await areNotKept(link, subjects)) throw noReports(subjects.reportStream, cause);
    throw link.error(cause, 'to tell what became of a stanza');
  }
}

/** Asking a stream that is not there gets no answer. */
async function areNotKept({ client, connection }: NatsLink, subjects: Subjects): Promise<boolean> {
  try {
    const manager = await client.jetstream.jetstreamManager(connection, { checkAPI: false, timeout: STREAM_MS });
    await manager.streams.info(subjects.reportStream);
    return false;
  } catch (error) {
    return isStreamMissing(error);
  }
}
