// Why a server sends a faulty stream header: RFC 6120 §4.9.1.
import { BrokerError } from '../../errors.js';
import type { Negotiation } from '../dialect.js';

/** How long the server gets to say more, in milliseconds. */
const LIMIT_MS = 1_000;

const STREAM_ERRORS: ReadonlySet<string> = new Set(['STREAM_ERROR', 'STREAM_BAD_ERROR', 'REDIRECT_UNTRUSTED']);

/**
 * The cause of a faulty header: a server that refuses us at once often does so behind a header that lacks something.
 * What it says then is the cause, else the fault is.
 */
export async function causeOf(fault: BrokerError, session: Pick<Negotiation, 'next'>): Promise<BrokerError> {
  let timer: NodeJS.Timeout | undefined;
  const said = session.next().then(
    () => fault,
    (error: unknown) => (error instanceof BrokerError && STREAM_ERRORS.has(error.code) ? error : fault),
  );
  const silence = new Promise<BrokerError>((resolve) => {
    timer = setTimeout(resolve, LIMIT_MS, fault);
  });
  try {
    return await Promise.race([said, silence]);
  } finally {
    clearTimeout(timer);
  }
}
