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
    [null, /takes an object of options, not null/],
    [['PLAIN'], /takes an object of options, not an array/],
    [{ mechanism: 'PLAIN' }, /no option "mechanism"; there are mechanisms, channelBinding/],
    [{ __proto__: null, constructor: 1 }, /no option "constructor"/],
    [{ mechanisms: [] }, /mechanisms }\) must be a list of at least one/],
    [{ mechanisms: 'PLAIN' }, /must be a list/],
    [{ mechanisms: ['PLAIN', 'SCRAM-SHA-3'] }, /has "SCRAM-SHA-3", which is no SASL mechanism/],
    [{ mechanisms: ['plain'] }, /has "plain"/],
    [{ mechanisms: [7] }, /has 7/],
    [{ channelBinding: 'tls-exporterr' }, /'auto', 'none', 'tls-exporter', .*not "tls-exporterr"/],
    [{ channelBinding: true }, /not a boolean/],
    [{ iterations: 4096 }, /object with min, max/],
    [{ iterations: { maximum: 5 } }, /has "maximum"; there are min and max/],
    [{ iterations: { max: '5000' } }, /whole numbers/],
    [{ iterations: { min: NaN } }, /whole numbers/],
    [{ iterations: { min: 0 } }, /at least 1/],
    [{ iterations: { max: 4095 } }, /min of 4096 above the max of 4095/],
    [{ authzid: '' }, /authzid }\) must be a string/],
    [{ streamManagement: true }, /'resume', 'ack', 'off', not a boolean/],
  ])('refuses %j', (options, message) => {
    expect(problemOf(options)).toMatch(message);
  });

  it('adds to the options that were there, and leaves the dialect it came from alone', () => {
    const one = XMPP.with({ streamManagement: 'off' });
    expect(one.with({ channelBinding: 'none' })).not.toBe(one);
    expect(Object.isFrozen(one)).toBe(true);
  });
});
