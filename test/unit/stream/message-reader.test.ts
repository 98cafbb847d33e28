import { describe, expect, it, vi } from 'vitest';
import { MessageReader } from '../../../src/stream/message-reader.js';
import type { Element } from '../../../src/xml/element.js';

const handler = () => ({ onStreamStart: vi.fn(), onElement: vi.fn(), onStreamEnd: vi.fn(), onError: vi.fn() });
const write = (reader: MessageReader, ...messages: string[]) => {
  for (const message of messages) reader.write(Buffer.from(message));
};
const names = ({ onElement }: ReturnType<typeof handler>) =>
  onElement.mock.calls.map(([element]) => (element as Element).localName);

describe('a reader of messages', () => {
  it.each([
    ['two elements', '<a/><b/>', 'holds more than one element'],
    ['many elements', '<a/>'.repeat(1_000), 'holds more than one element'],
    ['half an element', '<a><b/>', 'holds no complete element'],
    ['the end of what is around it', '</stream:stream>', 'ends what was not begun'],
  ])('S-XML-1: refuses %s, once', (_what, message, why) => {
    const told = handler();
    const reader = new MessageReader(told, {});
    write(reader, '<first/>', message, '<last/>');
    expect(names(told)).toEqual(['first']);
    expect(told.onError.mock.calls).toEqual([
      [expect.objectContaining({ code: 'WS_BAD_FRAME', message: expect.stringContaining(why) as string })],
    ]);
    expect(reader.pending).toBe(0);
  });

  it('tells what comes while it tells something behind that', () => {
    const told = handler();
    const reader = new MessageReader(told, {});
    const order: string[] = [];
    told.onElement.mockImplementation(({ localName }: Element) => {
      order.push(`<${localName}>`);
      if (localName === 'a') {
        write(reader, '<c/>');
        reader.resume();
      }
      order.push(`</${localName}>`);
    });
    write(reader, '<a/>', '<b/>');
    expect(order).toEqual(['<a>', '</a>', '<c>', '</c>', '<b>', '</b>']);
  });

  it('tells nobody of a handler that throws when what is left was taken', () => {
    const told = handler();
    const reader = new MessageReader(told, {});
    let rest = '';
    told.onElement.mockImplementation(() => {
      rest = reader.take().toString();
      throw new Error('a handler');
    });
    reader.pause();
    write(reader, '<a/>', '<b/>');
    reader.resume();
    expect([rest, told.onError.mock.calls]).toEqual(['<b/>', []]);
    write(reader, '<c/>');
    expect(names(told)).toEqual(['a']);
  });
});
