import { readdirSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { BrokerError } from 'xmpp-broker';

describe('BrokerError', () => {
  it('has only the facts that are known, and shows no others', () => {
    const error = new BrokerError('TCP_REFUSED', 'nobody listens', { layer: 'tcp', retryable: true });
    expect(Object.keys(error).sort()).toEqual(['code', 'layer', 'name', 'origin', 'retryable']);
    expect(inspect(error)).not.toContain('undefined');
  });

  it('keeps its facts and its stack when an outer layer adds to them', () => {
    const cause = new Error('below');
    const error = new BrokerError('STREAM_ERROR', 'closed', { layer: 'stream', condition: 'reset', cause });
    const fuller = error.with({ phase: 'ready' });
    expect(fuller).toMatchObject({ code: 'STREAM_ERROR', condition: 'reset', phase: 'ready', cause });
    expect(fuller.stack).toBe(error.stack);
    expect(error.phase).toBeUndefined();
  });

  it('loses no fact to one that is undefined', () => {
    const error = new BrokerError('STREAM_ERROR', 'closed', { layer: 'stream', condition: 'reset', offset: undefined });
    const same = error.with({ layer: undefined, condition: undefined, phase: undefined });
    expect(same).toMatchObject({ layer: 'stream', condition: 'reset' });
    expect(Object.keys(same).sort()).toEqual(Object.keys(error).sort());
  });

  it('S-ERR-4 A-STZ-14: the text of a peer is cut, and its control characters are escaped', () => {
    const text = `\u001b[2J\r\nFAKE \u202e${'x'.repeat(2_000)}`;
    const error = new BrokerError('STREAM_ERROR', 'closed', { layer: 'stream', text });
    expect(error.text).toMatch(/^\\u001b\[2J\\u000d\\u000aFAKE \\u202ex+…$/);
    expect(error.text?.length).toBeLessThan(1_100);
  });
});

describe('the messages of errors', () => {
  it('begin in one way: with a small letter, or a name', () => {
    const capital = /(?:usageError|BrokerError|saslError)\(\s*(?:'[A-Z_]+',)?\s*['`](?:The|A|An|It|This|Waiting) /g;
    const found = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) =>
        Array.from(readFileSync(`src/${file}`, 'utf8').matchAll(capital), ([text]) => `${file}: ${text}`),
      );
    expect(found).toEqual([]);
  });
});
