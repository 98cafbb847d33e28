import { describe, expect, it } from 'vitest';
import { isStreamError, redirectTarget, streamError } from '../../../src/stream/stream-error.js';
import { NS } from '../../../src/xml/namespaces.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';

describe('isStreamError', () => {
  it('S-ERR-1: is an error of the namespace of streams, and no other', () => {
    expect(isStreamError(parse(`<error xmlns='${NS.STREAM}'/>`))).toBe(true);
    expect(isStreamError(parse(`<error xmlns='urn:x'/>`))).toBe(false);
    expect(isStreamError(parse(`<other xmlns='${NS.STREAM}'/>`))).toBe(false);
  });
});

describe('redirectTarget', () => {
  it.each<[string, { host: string; port: number | null } | null]>([
    ['example.org', { host: 'example.org', port: null }],
    ['\n  example.org:5222\n', { host: 'example.org', port: 5222 }],
    [' example.org ', { host: 'example.org', port: null }],
    ['example.org.', { host: 'example.org', port: null }],
    ['example.org.:5222', { host: 'example.org', port: 5222 }],
    ['bücher.example:5222', { host: 'xn--bcher-kva.example', port: 5222 }],
    ['192.0.2.1:80', { host: '192.0.2.1', port: 80 }],
    ['[2001:db8::1]:5222', { host: '2001:db8::1', port: 5222 }],
    ['[2001:db8::1]', { host: '2001:db8::1', port: null }],
    ['2001:db8::1', { host: '2001:db8::1', port: null }],
    ['', null],
    ['   ', null],
    ['[nonsense]:1', null],
    ['example.org:65536', null],
    ['example.org:0', null],
    ['example.org:x', null],
    ['a b', null],
    ['user@example.org', null],
    ['http://example.org', null],
    ['-example.org', null],
  ])('A6: %j', (text, target) => {
    expect(redirectTarget(text)).toEqual(target);
  });
});

describe('streamError', () => {
  const read = (inside: string) =>
    streamError(parse(`<stream:error xmlns:stream='${NS.STREAM}'>${inside}</stream:error>`));

  it('D7: the message has the condition of the application', () => {
    const app = "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/>";
    expect(read(`<undefined-condition xmlns='${NS.STREAMS}'/>${app}`).message).toBe(
      'the server closed the stream: undefined-condition (handled-count-too-high)',
    );
  });

  it('S-ERR-1: what the application says is told with its namespace, or with none', () => {
    const condition = `<reset xmlns='${NS.STREAMS}'/>`;
    expect(read(`${condition}<x xmlns='urn:x'/><y xmlns='urn:y'/>`).appCondition).toEqual({ ns: 'urn:x', name: 'x' });
    expect(read(`${condition}<x xmlns=''/>`).appCondition).toEqual({ ns: '', name: 'x' });
  });

  it.each([
    ['not-authorized', 'secret'],
    ['host-unknown', 'configuration'],
  ])('D9: %s says what to check', (condition, word) => {
    expect(read(`<${condition} xmlns='${NS.STREAMS}'/>`).message).toContain(word);
  });

  it('A6: a place that cannot be read is worth another try at the old one', () => {
    const error = read(`<see-other-host xmlns='${NS.STREAMS}'>http://example.org/</see-other-host>`);
    expect(error).toMatchObject({ condition: 'see-other-host', retryable: true });
    expect(error.redirect).toBeUndefined();
  });

  const HOST = `<see-other-host xmlns='${NS.STREAMS}'>127.0.0.1:1</see-other-host>`;
  const URI = `<see-other-uri xmlns='${NS.FRAMING}'>wss://localhost/</see-other-uri>`;

  it('S-ERR-7: see-other-host alone, or with a URI, names a place to go', () => {
    expect(read(HOST).redirect).toEqual({ host: '127.0.0.1', port: 1 });
    expect(read(HOST + URI).redirect).toEqual({ host: 'localhost', port: null, url: 'wss://localhost/' });
  });

  it.each([
    ['a URI with another condition', `<reset xmlns='${NS.STREAMS}'/>${URI}`],
    ['a URI with a condition that is not known', `<moved xmlns='${NS.STREAMS}'/>${URI}`],
    ['a URI alone', URI],
    ['a host with a second condition', `${HOST}<reset xmlns='${NS.STREAMS}'/>`],
    ['two hosts', HOST + HOST],
  ])('S-ERR-7: %s names none: what is not see-other-host is not asked for its trust', (_, inside) => {
    expect(read(inside).redirect).toBeUndefined();
  });
});
