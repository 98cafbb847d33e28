import { expect, it } from 'vitest';
import { answerOf } from '../../../src/nats/holder-calls.js';
import { reportsOf } from '../../../src/nats/reports.js';

it.each([
  { v: 1, count: 3 },
  { v: 1, xml: '<iq/>' },
  { v: 1, status: { size: 0 } },
  { v: 1, error: { code: 'RTS_TIMEOUT', message: 'late', sent: 'maybe' } },
])('takes the answer %j of a holder', (answer) => {
  expect(answerOf(JSON.stringify(answer))).toEqual(answer);
});

it.each([
  'no JSON',
  'null',
  '[]',
  '7',
  '{"error":null}',
  '{"error":"x"}',
  '{"error":{}}',
  '{"error":{"code":7,"message":"x"}}',
  '{"error":{"code":"lower case","message":"x"}}',
  '{"error":{"code":"X","message":null}}',
  '{"count":"3"}',
  '{"count":-1}',
  '{"count":1e300}',
  '{"status":null}',
  '{"xml":5}',
])('does not take %s for an answer of a holder', (text) => {
  expect(answerOf(text)).toBeNull();
});

it.each(['no JSON', 'null', '{"v":2,"queue":"q","tickets":[]}', '{"v":1,"tickets":[]}', '{"v":1,"queue":"q"}'])(
  'does not take %s for reports',
  (text) => {
    expect(reportsOf(text)).toBeNull();
  },
);

it('leaves out reports that are none', () => {
  const text = JSON.stringify({ v: 1, queue: 'q', tickets: [['a', 'sent', 0], ['b', 'burnt', 0], [1, 'sent'], null] });
  expect(reportsOf(text)).toEqual([{ queue: 'q', key: 'a', outcome: 'sent', possibleDuplicate: false }]);
});
