import { describe, expect, it } from 'vitest';
import { accountOf } from '../../../../src/protocols/sasl/mechanism.js';
import { defaultMechanisms, MECHANISM_NAMES, type MechanismName } from '../../../../src/protocols/sasl/mechanisms.js';
import { MEMORY_LIMIT, SaslMemory, sharedMemory } from '../../../../src/protocols/sasl/memory.js';
import { makeOffer, readOffer } from '../../../../src/protocols/sasl/offer.js';
import { chooseMechanism, type SaslLink, type SaslSettings } from '../../../../src/protocols/sasl/selection.js';
import { xml } from '../../../../src/xml/builder.js';
import { NS } from '../../../../src/xml/namespaces.js';
import { codeOf, featuresOf, MechanismRun, refusal, sasl } from './support.js';

const settings: SaslSettings = {
  mechanisms: defaultMechanisms(false),
  domain: 'example.com',
  username: 'user',
  password: 'pencil',
};
const all: SaslSettings = { ...settings, mechanisms: MECHANISM_NAMES };
const tls: SaslLink = { verified: true, bindings: (type) => Buffer.from(`data of ${type}`) };
const unverified: SaslLink = { ...tls, verified: false };
const clear: SaslLink = { verified: false, bindings: null };

type Choice = [
  offered: readonly string[],
  types?: readonly string[] | null,
  own?: Partial<SaslSettings>,
  link?: SaslLink,
];

const chosen = (...[offered, types = null, own = {}, link = tls]: Choice) =>
  chooseMechanism(makeOffer(offered, types), { ...settings, ...own }, link);

const choose = (...choice: Choice) => chosen(...choice).mechanism;

const run = (...choice: Choice) => {
  const { mechanism, settings } = chosen(...choice);
  return new MechanismRun(mechanism, settings);
};

/** The GS2 flag of the first message. */
const flagOf = async (...choice: Choice) => (await run(...choice).start())!.toString().split(',')[0];

describe('S-SASL-1: our own order', () => {
  it('holds whatever the order of the server', () => {
    const offered = ['PLAIN', 'DIGEST-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'ANONYMOUS', 'EXTERNAL'];
    expect(choose(offered).name).toBe('SCRAM-SHA-512');
    expect(choose(offered.slice(0, 3)).name).toBe('SCRAM-SHA-1');
    expect(choose(['PLAIN', 'SCRAM-SHA-1']).name).toBe('SCRAM-SHA-1');
    expect(choose(['PLAIN']).name).toBe('PLAIN');
  });

  it('S-SASL-4: EXTERNAL first when it is on the list', () => {
    expect(choose(['SCRAM-SHA-512', 'EXTERNAL'], null, all).name).toBe('EXTERNAL');
    expect(choose(['SCRAM-SHA-512', 'EXTERNAL']).name).toBe('SCRAM-SHA-512');
  });

  it('-PLUS before stronger hashes without it', () => {
    expect(choose(['SCRAM-SHA-512', 'SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS'], ['tls-exporter']).name).toBe(
      'SCRAM-SHA-1-PLUS',
    );
  });

  it('a mechanism that is not on the list is never used', async () => {
    for (const offered of [
      'DIGEST-MD5',
      'ANONYMOUS',
      'EXTERNAL',
      'OAUTHBEARER',
      'CRAM-MD5',
      'SCRAM-SHA3-512',
      'X-OAUTH2',
    ]) {
      expect(await codeOf(() => choose([offered]))).toBe('SASL_NO_ACCEPTABLE_MECHANISM');
    }
    for (const name of all.mechanisms) {
      const mechanisms = all.mechanisms.filter((other) => other !== name);
      expect(await codeOf(() => choose([name], ['tls-exporter'], { mechanisms }))).toBe('SASL_NO_ACCEPTABLE_MECHANISM');
    }
  });

  it('of the defaults, which have EXTERNAL only with a client certificate', () => {
    expect(defaultMechanisms(false)).toEqual([
      'SCRAM-SHA-512-PLUS',
      'SCRAM-SHA-256-PLUS',
      'SCRAM-SHA-1-PLUS',
      'SCRAM-SHA-512',
      'SCRAM-SHA-256',
      'SCRAM-SHA-1',
      'PLAIN',
    ]);
    expect(defaultMechanisms(true)).toEqual(['EXTERNAL', ...defaultMechanisms(false)]);
  });

  it.each(all.mechanisms)('%s is chosen when it is all there is', (name) => {
    expect(choose([name], ['tls-exporter'], all).name).toBe(name);
  });

  it('a name in our list that is not known is a mistake', async () => {
    const mechanisms = ['SCRAM-SHA-999' as MechanismName];
    expect(await codeOf(() => choose(['PLAIN'], null, { mechanisms }))).toBe('USAGE_SASL_MECHANISM');
  });
});

describe('S-SASL-2: PLAIN', () => {
  it.each([
    ['in clear', clear],
    ['over TLS that was not verified', unverified],
  ])('is never used %s', async (_name, link) => {
    for (const name of ['PLAIN', 'OAUTHBEARER']) {
      const error = await refusal(() => choose([name], null, all, link));
      expect(error.code).toBe('SASL_NO_ACCEPTABLE_MECHANISM');
      expect(error.message).toContain('verified');
    }
  });

  it('is the last resort: not where the server has something better that cannot be used', async () => {
    const error = await refusal(() => choose(['SCRAM-SHA-256-PLUS', 'PLAIN'], ['made-up']));
    expect(error.code).toBe('SASL_NO_ACCEPTABLE_MECHANISM');
    expect(choose(['SCRAM-SHA-1', 'PLAIN'], null, { mechanisms: ['SCRAM-SHA-512', 'PLAIN'] }).name).toBe('PLAIN');
  });

  it('EXTERNAL needs TLS', async () => {
    expect(await codeOf(() => choose(['EXTERNAL'], null, all, clear))).toBe('SASL_NO_ACCEPTABLE_MECHANISM');
  });
});

describe('S-SASL-3: the memory', () => {
  const username = 'had SCRAM';
  sharedMemory.remember(accountOf({ ...settings, username }));

  it('refuses PLAIN alone for an account that had something better', async () => {
    expect(await codeOf(() => choose(['PLAIN'], null, { username }))).toBe('SASL_DOWNGRADE');
    expect(choose(['PLAIN', 'SCRAM-SHA-1'], null, { username }).name).toBe('SCRAM-SHA-1');
  });

  it('is about this account only', () => {
    expect(choose(['PLAIN'], null, { username: 'other' }).name).toBe('PLAIN');
    expect(choose(['PLAIN'], null, { username, domain: 'example.net' }).name).toBe('PLAIN');
  });

  it('does not overrule a list that has nothing better', () => {
    expect(choose(['PLAIN'], null, { username, mechanisms: ['PLAIN'] }).name).toBe('PLAIN');
    expect(choose(['PLAIN'], null, { username, mechanisms: ['DIGEST-MD5', 'PLAIN'] }).name).toBe('PLAIN');
  });

  it('is bounded, and names do not run into each other', () => {
    const memory = new SaslMemory();
    const more = Array.from({ length: MEMORY_LIMIT - 1 }, (_, i) => `more ${i}`);
    for (const name of ['a', 'b', 'a', ...more]) memory.remember(name);
    expect(['a', 'b', ...more].filter((name) => !memory.knows(name))).toEqual(['b']);
    expect(accountOf({ ...settings, username: 'a"', domain: 'b' })).not.toBe(
      accountOf({ ...settings, username: 'a', domain: '"b' }),
    );
  });
});

describe('S-CB-5: the flag for channel binding', () => {
  const offers = { plain: ['SCRAM-SHA-256'], plus: ['SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS'] };
  const able = tls;
  const unable: SaslLink = { verified: true, bindings: () => null };

  it.each([
    ['we can, it offers PLUS and types', able, offers.plus, ['tls-exporter'], 'p=tls-exporter'],
    ['we can, it offers PLUS without types', able, offers.plus, null, 'n'],
    ['we can, it offers types without PLUS', able, offers.plain, ['tls-exporter'], 'y'],
    ['we can, it offers neither', able, offers.plain, null, 'y'],
    ['we cannot, it offers PLUS and types', unable, offers.plus, ['tls-exporter'], 'n'],
    ['we cannot, it offers PLUS without types', unable, offers.plus, null, 'n'],
    ['we cannot, it offers types without PLUS', unable, offers.plain, ['tls-exporter'], 'n'],
    ['we cannot, it offers neither', unable, offers.plain, null, 'n'],
    ['no TLS', clear, offers.plus, ['tls-exporter'], 'n'],
  ])('%s', async (_name, link, offered, types, flag) => {
    expect(await flagOf(offered, types, {}, link)).toBe(flag);
  });

  it('takes the best type that both have', async () => {
    expect(await flagOf(offers.plus, ['tls-server-end-point', 'tls-exporter'])).toBe('p=tls-exporter');
    expect(await flagOf(offers.plus, ['tls-unique', 'tls-server-end-point'])).toBe('p=tls-server-end-point');
    const noExporter: SaslLink = {
      verified: true,
      bindings: (type) => (type === 'tls-server-end-point' ? Buffer.of(1) : null),
    };
    expect(await flagOf(offers.plus, ['tls-exporter', 'tls-server-end-point'], {}, noExporter)).toBe(
      'p=tls-server-end-point',
    );
  });

  it('tls-unique only when it is named, then also without a list', async () => {
    expect(await flagOf(offers.plus, ['tls-unique', 'tls-exporter'])).toBe('p=tls-exporter');
    expect(await flagOf(offers.plus, null, { channelBinding: 'tls-unique' })).toBe('p=tls-unique');
    expect(await flagOf(offers.plus, ['tls-unique'], { channelBinding: 'tls-unique' })).toBe('p=tls-unique');
    expect(await flagOf(offers.plus, ['tls-exporter'], { channelBinding: 'tls-unique' })).toBe('n');
  });

  it('none, or a list of ours without -PLUS: we cannot', async () => {
    expect(await flagOf(offers.plus, ['tls-exporter'], { channelBinding: 'none' })).toBe('n');
    expect(await flagOf(offers.plain, null, { mechanisms: ['SCRAM-SHA-256'] })).toBe('n');
  });
});

describe('S-CB-6: types that nobody here knows', () => {
  const challenge = async (types: string[], extension = '') => {
    const mechanism = run(['SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS'], types);
    const first = (await mechanism.start())!.toString();
    expect(first.startsWith('n,')).toBe(true);
    const nonce = first.split('r=')[1] ?? '';
    return mechanism.challenge(Buffer.from(`r=${nonce}x,s=QSXCR+Q6sek8bf92,i=4096${extension}`));
  };

  it('are believed only when the server signs its offer', async () => {
    expect(await codeOf(() => challenge(['made-up']))).toBe('SASL_DOWNGRADE');
    expect(await codeOf(() => challenge([]))).toBe('SASL_DOWNGRADE');
    // base64 of SHA-1 of 'SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1fmade-up'
    const { createHash } = await import('node:crypto');
    const hash = createHash('sha1').update('SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1fmade-up').digest('base64');
    expect((await challenge(['made-up'], `,h=${hash}`)).toString()).toContain(',p=');
  });
});

describe('A-NEG-8, S-SASL-14: odd lists', () => {
  it('names in lower case, with blanks, too long or empty are ignored', async () => {
    const odd = [
      'scram-sha-256',
      ' PLAIN',
      'PLAIN ',
      'X'.repeat(21),
      '',
      'X-' + 'A'.repeat(1 << 20),
      'PL\u00c4IN',
      'A B',
    ];
    expect(makeOffer(odd)).toMatchObject({ ignored: odd.length });
    const error = await refusal(() => choose(odd));
    expect(error.code).toBe('SASL_NO_ACCEPTABLE_MECHANISM');
    expect(error.message.length).toBeLessThan(500);
    expect(choose([...odd, 'SCRAM-SHA-1']).name).toBe('SCRAM-SHA-1');
  });

  it('no more than 64 are looked at, duplicates count once', () => {
    const many = Array.from({ length: 1000 }, (_, i) => `X-${i}`);
    expect(makeOffer(many).mechanisms.size).toBe(64);
    expect(makeOffer(many).ignored).toBe(936);
    expect(makeOffer(['PLAIN', 'PLAIN', 'PLAIN'])).toMatchObject({ ignored: 2, mechanisms: new Set(['PLAIN']) });
  });

  it('what was advertised is kept as it was, for the hash of XEP-0474', () => {
    expect(makeOffer(['b', 'PLAIN', 'PLAIN']).advertised).toEqual(['b', 'PLAIN', 'PLAIN']);
  });

  it('missing user name or password', async () => {
    expect((await refusal(() => choose(['PLAIN', 'SCRAM-SHA-1'], null, { password: undefined }))).message).toContain(
      'password',
    );
    expect((await refusal(() => choose(['SCRAM-SHA-1'], null, { username: undefined }))).message).toContain(
      'user name',
    );
    expect(choose(['ANONYMOUS'], null, { ...all, username: undefined, password: undefined }).name).toBe('ANONYMOUS');
  });
});

describe('reading the features', () => {
  it('takes mechanisms and binding types in their namespaces only', () => {
    const offer = readOffer(featuresOf(['SCRAM-SHA-1', 'PLAIN'], ['tls-exporter', 'tls-unique']));
    expect(offer).toEqual({
      advertised: ['SCRAM-SHA-1', 'PLAIN'],
      mechanisms: new Set(['SCRAM-SHA-1', 'PLAIN']),
      bindings: ['tls-exporter', 'tls-unique'],
      ignored: 0,
      listsBindings: false,
      beside: new Set(),
    });
    expect(readOffer(featuresOf(['PLAIN']))?.bindings).toBeNull();
    const nameless = featuresOf(['PLAIN'], ['tls-exporter']);
    nameless.getChild('sasl-channel-binding', NS.SASL_CHANNEL_BINDING)!.firstElementChild!.removeAttribute('type');
    expect(readOffer(nameless)?.bindings).toEqual(['']);
    expect(readOffer(xml('features', {}, xml('mechanisms', { xmlns: 'urn:other' })))).toBeNull();
    const mixed = xml(
      'features',
      {},
      sasl('mechanisms', undefined, xml('mechanism', { xmlns: 'urn:other' }, 'PLAIN'), sasl('mechanism', 'X')),
    );
    expect(readOffer(mixed)?.advertised).toEqual(['X']);
  });
});
