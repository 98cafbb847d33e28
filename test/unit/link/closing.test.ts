import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { OPEN, outcome, type Closing } from '../../../src/link/closing.js';

const fault = new BrokerError('LIVENESS_TIMEOUT', 'silence', { layer: 'tcp', phase: 'ready' });
const reset = new BrokerError('TCP_RESET', 'reset', { layer: 'tcp' });

const closing = (byUs: Closing['byUs'], facts: Partial<Closing> = {}): Closing => ({
  is: 'closing',
  byUs,
  peerEnded: false,
  dropped: false,
  ...facts,
});

describe('what it means that the socket is closed', () => {
  const cases = [
    ['open, in order', OPEN, null, false, { byUs: null, clean: false, error: 'STREAM_CLOSED' }],
    ['open, by a reset', OPEN, reset, false, { byUs: null, clean: false, error: 'TCP_RESET', phase: 'ready' }],
    [
      'lost, whatever the socket says',
      { is: 'lost', error: fault, closing: null },
      reset,
      true,
      { byUs: null, clean: false, error: 'LIVENESS_TIMEOUT', phase: 'ready' },
    ],
    [
      'closed by both',
      closing('shutdown', { peerEnded: true }),
      null,
      true,
      { byUs: 'shutdown', clean: true, error: null },
    ],
    [
      'closed by both, and reset behind that',
      closing('replace', { peerEnded: true }),
      reset,
      true,
      { byUs: 'replace', clean: true, error: null },
    ],
    [
      'closed by the peer before we could',
      closing('shutdown', { peerEnded: true }),
      null,
      false,
      { byUs: 'shutdown', clean: false, error: 'STREAM_CLOSED' },
    ],
    [
      'closed by us alone',
      closing('shutdown'),
      reset,
      true,
      { byUs: 'shutdown', clean: false, error: 'TCP_RESET', phase: 'closing' },
    ],
    [
      'dropped, so that its session goes on',
      closing('replace', { dropped: true }),
      null,
      false,
      { byUs: 'replace', clean: false, error: null },
    ],
    [
      'lost while we closed it',
      { is: 'lost', error: fault, closing: closing('shutdown') },
      null,
      true,
      { byUs: 'shutdown', clean: false, error: 'LIVENESS_TIMEOUT' },
    ],
  ] as const;

  it.each(cases)('%s', (_, state, socketError, endSent, wanted) => {
    const { byUs, clean, error } = outcome(state, socketError, endSent);
    expect({ byUs, clean, error: error?.code ?? null }).toEqual({
      byUs: wanted.byUs,
      clean: wanted.clean,
      error: wanted.error,
    });
    if ('phase' in wanted) expect(error?.phase).toBe(wanted.phase);
  });
});
