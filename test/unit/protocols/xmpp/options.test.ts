import { describe, expect, it } from 'vitest';
import { BrokerError, XMPP, type TokenStore, type XmppOptions } from 'xmpp-broker';

const STORE: TokenStore = { load: () => null, save: () => undefined };

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
    { sasl2: 'required', bind2: 'on', tag: 'a.b_c-9', userAgent: 'none' },
    { userAgent: {} },
    { fast: 'off', sasl2: 'off' },
    { fast: { store: STORE } },
    { fast: { store: STORE, mechanisms: ['HT-SHA-256-NONE'] } },
    { userAgent: { id: '0E5B4D8A-6BC5-4F6A-9D3A-2F9F6AB0C3DE', software: 'Bot & Co', device: 'x'.repeat(100) } },
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
    [{ sasl2: true }, /sasl2 must be 'auto', 'off' or 'required', not true/],
    [{ bind2: true }, /bind2 must be 'on' or 'off', not true/],
    [{ bind2: 'on', sasl2: 'off' }, /bind2: 'on' needs SASL2, which sasl2: 'off' forbids/],
    [{ tag: '' }, /tag must be 1 to 32 letters, digits, dots, hyphens or underscores, not ""/],
    [{ tag: 'a/b' }, /tag must be/],
    [{ tag: 'x'.repeat(33) }, /tag must be/],
    [{ userAgent: 'me' }, /userAgent must be 'none' or an object, not "me"/],
    [{ userAgent: { id: '0e5b4d8a-6bc5-1f6a-9d3a-2f9f6ab0c3de' } }, /userAgent\.id must be a UUID of version 4/],
    [{ userAgent: { software: '' } }, /userAgent\.software must be a name of 1 to 100 characters/],
    [{ userAgent: { device: '\u0000' } }, /userAgent\.device must be a name/],
    [{ userAgent: { name: 'x' } }, /userAgent\.name is no option/],
    [{ fast: true }, /fast must be 'off' or an object with a store/],
    [{ fast: {} }, /fast\.store is missing: pass fileTokenStore\(path\)/],
    [{ fast: { store: {} } }, /fast\.store must be an object with the methods load and save/],
    [{ fast: { store: 'file' } }, /fast\.store must be an object with the methods load and save/],
    [{ fast: { store: null } }, /fast\.store must be an object with the methods load and save/],
    [{ fast: { store: { save: () => undefined } } }, /fast\.store must be an object with the methods load and save/],
    [{ fast: { store: { load: () => null } } }, /fast\.store must be an object with the methods load and save/],
    [{ fast: { store: STORE, mechanisms: [] } }, /fast\.mechanisms must be a list of one or more of HT-SHA-512-EXPR/],
    [{ fast: { store: STORE, mechanisms: ['SCRAM-SHA-1'] } }, /fast\.mechanisms must be .*, without "SCRAM-SHA-1"/],
    [{ fast: { store: STORE }, sasl2: 'off' }, /fast needs SASL2, which sasl2: 'off' forbids/],
    [{ fast: { store: STORE }, userAgent: 'none' }, /fast needs a user agent, which userAgent: 'none' leaves out/],
  ])('refuses %j', (options, message) => {
    expect(problemOf(options)).toMatch(message);
  });

  it.each([
    [{ bind2: 'on' }, /bind2: 'on' needs SASL2/],
    [{ fast: { store: STORE } }, /fast needs SASL2/],
  ] as const)('refuses %j behind or before what it does not go with', (options, message) => {
    expect(() => XMPP.with({ sasl2: 'off' }).with(options)).toThrow(message);
    expect(() => XMPP.with(options).with({ sasl2: 'off' })).toThrow(message);
    expect(() => XMPP.with(options).with({ bind2: 'off', fast: 'off' }).with({ sasl2: 'off' })).not.toThrow();
  });

  it('adds to the options that were there, and leaves the dialect it came from alone', () => {
    const one = XMPP.with({ streamManagement: 'off' });
    expect(one.with({ channelBinding: 'none' })).not.toBe(one);
    expect(Object.isFrozen(one)).toBe(true);
  });
});
