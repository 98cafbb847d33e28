import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test, vi } from 'vitest';
import { BrokerError } from '../../../../src/errors.js';
import { parse } from '../../../../src/xml/tokenizer/parse.js';
import { Tokenizer } from '../../../../src/xml/tokenizer/tokenizer.js';
import { Window } from '../../../../src/xml/tokenizer/window.js';
import { bytesOf, HEADER, record, recorder } from './recording.js';

const STANZAS = '<a/><b>x</b> <c/>';
const bytes = (text: string) => Buffer.from(text);
const names = (recording: { elements: { localName: string }[] }) => recording.elements.map((e) => e.localName);

describe('pause and resume', () => {
  test('pause inside a handler stops before the next token; resume goes on at once', () => {
    const recording = recorder({}, { onElement: () => recording.tokenizer.pause() });
    recording.tokenizer.write(bytes(HEADER + STANZAS));
    expect(names(recording)).toEqual(['a']);
    expect(recording.tokenizer.paused).toBe(true);
    expect(recording.tokenizer.pending).toBe('<b>x</b> <c/>'.length);
    recording.tokenizer.resume();
    expect(names(recording)).toEqual(['a', 'b']);
    recording.tokenizer.write(bytes('<d/>'));
    recording.tokenizer.resume();
    recording.tokenizer.resume();
    expect(names(recording)).toEqual(['a', 'b', 'c', 'd']);
    expect(recording.tokenizer.pending).toBe(0);
    recording.tokenizer.resume();
    expect(recording.tokenizer.paused).toBe(false);
    expect(recording.error).toBeNull();
  });

  test('the events and offsets are the same as without pauses, for every chunking', () => {
    const input = bytes(`${HEADER} ${STANZAS}<d>€</d></stream:stream> `);
    const expected = record(input).events;
    for (const size of [1, 2, 3, 7, 1000]) {
      const pause = () => recording.tokenizer.pause();
      const recording = recorder({}, { onElement: pause, onStreamStart: pause, onStreamEnd: pause });
      for (let at = 0; at < input.length; at += size) {
        recording.tokenizer.write(input.subarray(at, at + size));
        while (recording.tokenizer.paused) recording.tokenizer.resume();
      }
      expect(recording.events).toEqual(expected);
    }
  });

  test('what is written while paused is kept in order and copied', () => {
    const recording = recorder();
    recording.tokenizer.pause();
    for (const part of [HEADER, '<a>', 'x</a><', 'b/>']) {
      const chunk = bytes(part);
      recording.tokenizer.write(chunk);
      chunk.fill(0);
    }
    expect(recording.events).toEqual([]);
    expect(recording.tokenizer.pending).toBe((HEADER + '<a>x</a><b/>').length);
    recording.tokenizer.resume();
    expect(names(recording)).toEqual(['a', 'b']);
  });

  test('the rest of a paused chunk is copied', () => {
    const recording = recorder({}, { onStreamStart: () => recording.tokenizer.pause() });
    const chunk = bytes(`${HEADER}<a/>`);
    recording.tokenizer.write(chunk);
    chunk.fill(0x21);
    recording.tokenizer.resume();
    expect(names(recording)).toEqual(['a']);
  });

  test('pause and resume inside one handler is nothing', () => {
    const recording = recorder(
      {},
      {
        onElement: () => {
          recording.tokenizer.pause();
          recording.tokenizer.resume();
        },
      },
    );
    recording.tokenizer.write(bytes(HEADER + STANZAS));
    expect(names(recording)).toEqual(['a', 'b', 'c']);
  });

  test('an error behind the place of the pause waits', () => {
    const recording = recorder({}, { onElement: () => recording.tokenizer.pause() });
    recording.tokenizer.write(bytesOf(HEADER, '<a/>', [0xff]));
    expect(recording.error).toBeNull();
    recording.tokenizer.resume();
    expect(recording.error?.code).toBe('XML_BAD_UTF8');
    expect(recording.error?.offset).toBe(HEADER.length + 4);
  });

  test('a pause in the middle of a character', () => {
    const recording = recorder();
    recording.tokenizer.write(bytesOf(HEADER, '<a>', [0xe2, 0x82]));
    recording.tokenizer.pause();
    recording.tokenizer.write(bytesOf([0xac], '</a>'));
    expect(recording.tokenizer.pending).toBeGreaterThan(0);
    recording.tokenizer.resume();
    expect(recording.elements[0]!.textContent).toBe('€');
  });
});

describe('take', () => {
  test('S-STREAM-10: inside a handler it gives what is behind the element, and nothing is reported any more', () => {
    let taken: Buffer | null = null;
    const recording = recorder({}, { onElement: () => (taken = recording.tokenizer.take()) });
    recording.tokenizer.write(bytes(`${HEADER}<proceed/><injected/>\x16`));
    expect(String(taken)).toBe('<injected/>\x16');
    recording.tokenizer.write(bytes('<more/>'));
    expect(names(recording)).toEqual(['proceed']);
    expect(recording.tokenizer.pending).toBe(0);
    expect(recording.tokenizer.end()).toBeNull();
  });
  test('after a pause it gives the same and what came later', () => {
    const recording = recorder({}, { onElement: () => recording.tokenizer.pause() });
    recording.tokenizer.write(bytes(`${HEADER}<success/><?xml`));
    recording.tokenizer.write(bytes(` version='1.0'?>`));
    expect(recording.tokenizer.take().toString()).toBe(`<?xml version='1.0'?>`);
    recording.tokenizer.resume();
    expect(recording.error).toBeNull();
  });
  test('with nothing behind the element it is empty', () => {
    const recording = recorder({}, { onElement: () => recording.tokenizer.pause() });
    recording.tokenizer.write(bytes(`${HEADER}<proceed/>`));
    expect(recording.tokenizer.take()).toHaveLength(0);
  });
  test('pending tells inside a handler whether bytes follow', () => {
    const seen: number[] = [];
    const recording = recorder({}, { onElement: () => seen.push(recording.tokenizer.pending) });
    recording.tokenizer.write(bytes(`${HEADER}<a/><b/>`));
    expect(seen).toEqual([4, 0]);
  });
  test('an incomplete character is part of what is taken', () => {
    const recording = recorder({}, { onElement: () => recording.tokenizer.pause() });
    recording.tokenizer.write(bytesOf(HEADER, '<a/>', [0xe2, 0x82]));
    expect([...recording.tokenizer.take()]).toEqual([0xe2, 0x82]);
  });
});

describe('end', () => {
  const endOf = (input: string) => record(input).tokenizer.end();
  test('between stanzas it is no error', () => {
    for (const input of ['', ' ', HEADER, `${HEADER}<a/>`, `${HEADER}<a/> `, `${HEADER}</stream:stream>`]) {
      expect(endOf(input)).toBeNull();
    }
  });
  test('S-STREAM-18: inside anything it is', () => {
    const inputs = [
      '<',
      '<?xml',
      '<s',
      `${HEADER}<`,
      `${HEADER}<a`,
      `${HEADER}<a>`,
      `${HEADER}<a></a`,
      `${HEADER}<a>x`,
    ];
    inputs.push(`${HEADER}<a b='`, `${HEADER}<a>&l`, `${HEADER}<a><![CDATA[x]]`, `${HEADER}</stream:strea`);
    for (const input of inputs) {
      const error = endOf(input);
      expect(error?.code, input).toBe('XML_TRUNCATED');
      expect(error?.offset).toBe(input.length);
    }
  });
  test('after a reported error it is none', () => {
    expect(endOf(`${HEADER}<a></b>`)).toBeNull();
  });
  test('it finishes the tokenizer', () => {
    const recording = record(HEADER);
    recording.tokenizer.end();
    recording.tokenizer.write(bytes('<a/>'));
    expect(recording.elements).toEqual([]);
    expect(recording.tokenizer.end()).toBeNull();
  });
});

describe('memory', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const cases: Record<string, string> = {
    'an ordinary stanza': `<message to='somebody@example.org'><body>a text of some length</body></message>`,
    'one the fast lane does not read': `<message  to = 'somebody@example.org&amp;'><body>a &#65; text<![CDATA[ ]]></body ></message >`,
    'an empty one': `<presence  from='somebody@example.org'/>`,
  };
  for (const [name, stanza] of Object.entries(cases)) {
    test(`nothing of a delivered stanza is kept: ${name}`, async () => {
      const seen: WeakRef<object>[] = [];
      const tokenizer = new Tokenizer({
        onStreamStart: () => undefined,
        onElement: (element) => void seen.push(new WeakRef(element)),
        onStreamEnd: () => undefined,
        onError: (error) => {
          throw error;
        },
      });
      tokenizer.write(bytes(HEADER + stanza));
      for (const byte of bytes(stanza)) tokenizer.write(Uint8Array.of(byte));
      expect(seen).toHaveLength(2);
      // A WeakRef holds what it was made for until the job is over.
      await new Promise((resolve) => setImmediate(resolve));
      gc();
      expect(seen.map((ref) => ref.deref())).toEqual([undefined, undefined]);
      expect(tokenizer.pending).toBe(0);
    });
  }
});

describe('offset and inStanza', () => {
  test('offset inside a handler is the place behind what it was called for', () => {
    const offsets: number[] = [];
    const note = () => offsets.push(recording.tokenizer.offset);
    const recording = recorder({}, { onStreamStart: note, onElement: note, onStreamEnd: note });
    recording.tokenizer.write(bytes(`${HEADER}<a/> <b/></stream:stream>`));
    const h = HEADER.length;
    expect(offsets).toEqual([h, h + 4, h + 9, h + 9 + '</stream:stream>'.length]);
    expect(recording.tokenizer.offset).toBe(offsets[3]);
  });
  test('inStanza', () => {
    const recording = recorder();
    const states: [string, boolean][] = [
      [' ', false],
      ['<', true],
      ['stream', true],
      ['>', false],
      [' ', false],
      ['<', true],
      ['a>', true],
      ['</a', true],
      ['>', false],
      ['</stream>', false],
    ];
    for (const [part, expected] of states) {
      recording.tokenizer.write(bytes(part));
      expect(recording.tokenizer.inStanza, part).toBe(expected);
    }
    expect(recording.error).toBeNull();
  });
});

describe('S-XML-20: errors go to onError and nowhere else', () => {
  test('the first error is reported once, everything behind it is ignored', () => {
    const recording = record(`${HEADER}<a></b><c/>`, 1);
    expect(recording.error?.code).toBe('XML_NOT_WELL_FORMED');
    recording.tokenizer.write(bytes('<d/>'));
    recording.tokenizer.resume();
    expect(recording.events.filter((event) => (event as unknown[])[0] === 'error')).toHaveLength(1);
    expect(recording.elements).toEqual([]);
    expect(recording.tokenizer.pending).toBe(0);
    expect(recording.tokenizer.inStanza).toBe(false);
  });

  const failing = ['onStreamStart', 'onElement', 'onStreamEnd'] as const;
  for (const name of failing) {
    test(`${name} that throws becomes XML_HANDLER and stops the tokenizer`, () => {
      const cause = new Error('mine');
      const recording = recorder(
        {},
        {
          [name]: () => {
            throw cause;
          },
        },
      );
      expect(() => recording.tokenizer.write(bytes(`${HEADER} <a/></stream:stream>`))).not.toThrow();
      expect(recording.error?.code).toBe('XML_HANDLER');
      expect(recording.error?.cause).toBe(cause);
      expect(recording.error?.origin).toBe('local');
      const count = recording.events.length;
      recording.tokenizer.write(bytes('<b/>'));
      expect(recording.events).toHaveLength(count);
    });
  }

  test('anything may be thrown', () => {
    for (const thrown of [
      undefined,
      null,
      'x',
      Object.create(null) as unknown,
      new BrokerError('X', 'x', { layer: 'sm' }),
    ]) {
      const recording = recorder(
        {},
        {
          onElement: () => {
            throw thrown;
          },
        },
      );
      recording.tokenizer.write(bytes(`${HEADER}<a/>`));
      expect(recording.error?.code).toBe('XML_HANDLER');
    }
  });

  test('an onError that throws harms nobody', () => {
    const tokenizer = new Tokenizer({
      onStreamStart: () => undefined,
      onElement: () => undefined,
      onStreamEnd: () => undefined,
      onError: () => {
        throw new Error('again');
      },
    });
    expect(() => tokenizer.write(bytes('x'))).not.toThrow();
  });

  test('writing inside a handler is kept for afterwards', () => {
    const recording = recorder(
      {},
      {
        onElement: (element) => {
          if (element.localName === 'a') recording.tokenizer.write(bytes('<later/>'));
        },
      },
    );
    recording.tokenizer.write(bytes(`${HEADER}<a/><b/>`));
    expect(names(recording)).toEqual(['a', 'b', 'later']);
  });

  test('what is not bytes is a mistake of the caller', () => {
    const { tokenizer } = recorder();
    for (const wrong of ['<a/>', null, undefined, 5, [60]]) {
      expect(() => tokenizer.write(wrong as unknown as Uint8Array)).toThrow(
        expect.objectContaining({ code: 'USAGE_TYPE' }) as Error,
      );
    }
    expect(() => new Tokenizer({} as never, { depth: -1 })).toThrow(
      expect.objectContaining({ code: 'USAGE_LIMITS' }) as Error,
    );
  });

  test('an empty root opens and ends the stream', () => {
    expect(record('<s/>').events.map((event) => (event as unknown[])[0])).toEqual(['start', 'end']);
    expect(record('<s/> <a/>').error?.code).toBe('XML_NOT_WELL_FORMED');
  });
  test('A-XML-14: the root ends while a stanza is open', () => {
    expect(record(`${HEADER}<message></stream:stream>`).error?.code).toBe('XML_NOT_WELL_FORMED');
  });
  test('text from the peer in messages is escaped and capped', () => {
    const { error } = record(`${HEADER}<a\u202eb\u0085${'c'.repeat(500)}:d:e/>`);
    // eslint-disable-next-line no-control-regex -- these are what may not be there
    expect(error?.message).not.toMatch(/[\u0000-\u001f\u0080-\u009f\u202e]/);
    expect(error!.message.length).toBeLessThan(300);
  });
});

describe('when it is over', () => {
  const boom = () => {
    throw new Error('boom');
  };

  test('behind a handler that threw nothing more is told, not even the end of a stream that is one empty element', () => {
    const recording = recorder({}, { onStreamStart: boom });
    recording.tokenizer.write(bytes(HEADER.replace(/>$/, '/>')));
    expect([recording.error?.code, recording.ended]).toEqual(['XML_HANDLER', false]);
  });

  test('a handler that took the rest, and throws, is told nothing', () => {
    let rest = '';
    const recording = recorder(
      {},
      {
        onElement: () => {
          rest = recording.tokenizer.take().toString();
          boom();
        },
      },
    );
    recording.tokenizer.write(bytes(`${HEADER}<a/><b/>`));
    expect([rest, recording.error]).toEqual(['<b/>', null]);
    expect(recording.tokenizer.take()).toHaveLength(0);
  });

  test('white space that belongs to the stream before is passed over, in however many pieces', () => {
    const recording = recorder();
    recording.tokenizer.skipSpace();
    for (const piece of [' ', '\n\t', ` <?xml version='1.0'?>${HEADER}`, '<a/>'])
      recording.tokenizer.write(bytes(piece));
    expect([names(recording), recording.error]).toEqual([['a'], null]);
  });

  test('a fault of ours is told as one, and ends it', () => {
    using loading = vi.spyOn(Window.prototype, 'load').mockImplementation(boom);
    const recording = recorder();
    recording.tokenizer.write(bytes(HEADER));
    expect(recording.error).toMatchObject({ code: 'XML_INTERNAL', cause: { message: 'boom' } });
    expect(() => parse(bytes('<a/>'))).toThrow('boom');
    expect(loading).toHaveBeenCalled();
  });
});
