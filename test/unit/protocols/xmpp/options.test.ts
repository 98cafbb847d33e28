import { describe, expect, it } from 'vitest';
import { BrokerError, XMPP, type XmppOptions } from 'xmpp-broker';

const problemOf = (options: unknown): string => {
  try {
    XMPP.with(options as XmppOptions);
    return 'none';
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toMatchObject({ code: 'USAGE_XMPP_OPTIONS', layer: 'usage' });
    return (error as BrokerError).message;
  }
};

describe('XMPP.with()', () => {
  it.each<XmppOptions>([
    {},
    { mechanisms: ['SCRAM-SHA-256-PLUS', 'EXTERNAL', 'OAUTHBEARER', 'DIGEST-MD5', 'PLAIN', 'ANONYMOUS'] },
    { channelBinding: 'tls-unique' },
    { channelBinding: 'none', iterations: { min: 1 } },
    { iterations: { min: 10_000, max: 10_000 } },
    { iterations: {} },
    { authzid: 'boss@localhost', streamManagement: 'off' },
  ])('takes %j', (options) => {
    expect(problemOf(options)).toBe('none');
  });

  it.each([
    [null, /^XMPP\.with\(\): the options must be an object, not null/],
    [['PLAIN'], /the options must be an object, not an array/],
    [{ mechanism: 'PLAIN' }, /mechanism is no option; did you mean mechanisms\?/],
    [{ __proto__: null, constructor: 1 }, /constructor is no option; there are mechanisms, channelBinding/],
    [{ mechanisms: [] }, /mechanisms must be a list of one or more of EXTERNAL, .*not an empty one/],
    [{ mechanisms: 'PLAIN' }, /must be a list/],
    [{ mechanisms: ['PLAIN', 'SCRAM-SHA-3'] }, /mechanisms must be a list of .*, without "SCRAM-SHA-3"/],
    [{ mechanisms: ['plain'] }, /without "plain"/],
    [{ mechanisms: [7] }, /without 7/],
    [{ channelBinding: 'tls-exporterr' }, /'auto', 'none', 'tls-exporter', .*, not "tls-exporterr"/],
    [{ channelBinding: true }, /not true/],
    [{ iterations: 4096 }, /iterations must be an object, not a number/],
    [{ iterations: { maximum: 5 } }, /iterations\.maximum is no option; there are min, max/],
    [{ iterations: { max: '5000' } }, /iterations\.max must be a whole number/],
    [{ iterations: { min: NaN } }, /iterations\.min must be a whole number/],
    [{ iterations: { min: 0 } }, /1 or more/],
    [{ iterations: { max: 4095 } }, /iterations\.min of 4096 is above iterations\.max of 4095/],
    [{ authzid: '' }, /authzid must be a string/],
    [{ streamManagement: true }, /'resume', 'ack' or 'off', not true/],
  ])('refuses %j', (options, message) => {
    expect(problemOf(options)).toMatch(message);
  });

  it('adds to the options that were there, and leaves the dialect it came from alone', () => {
    const one = XMPP.with({ streamManagement: 'off' });
    expect(one.with({ channelBinding: 'none' })).not.toBe(one);
    expect(Object.isFrozen(one)).toBe(true);
  });
});
