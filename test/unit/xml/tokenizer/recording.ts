import type { BrokerError } from '../../../../src/errors.js';
import type { Element, Node } from '../../../../src/xml/element.js';
import { NS } from '../../../../src/xml/namespaces.js';
import { Text } from '../../../../src/xml/text.js';
import type { XmlLimits } from '../../../../src/xml/tokenizer/limits.js';
import { Tokenizer, type TokenizerHandler } from '../../../../src/xml/tokenizer/tokenizer.js';

export const HEADER = `<stream:stream xmlns='jabber:client' xmlns:stream='${NS.STREAM}' id='1'>`;

/** Everything about a tree that may not depend on how it was read. */
export function shape(node: Node): unknown {
  if (node instanceof Text) return node.data;
  const attributes: unknown[] = [];
  for (let attr = node.firstAttribute; attr !== null; attr = attr.nextAttribute) {
    attributes.push([attr.namespaceURI, attr.prefix, attr.localName, attr.value]);
  }
  return [node.namespaceURI, node.prefix, node.localName, attributes, ...node.childNodes.map(shape)];
}

export interface Recording {
  /** What was reported, in order: names of events, shapes of elements. */
  events: unknown[];
  elements: Element[];
  header: Element | null;
  ended: boolean;
  error: BrokerError | null;
  tokenizer: Tokenizer;
}

export function recorder(limits?: Partial<XmlLimits>, also: Partial<TokenizerHandler> = {}): Recording {
  const recording: Recording = {
    events: [],
    elements: [],
    header: null,
    ended: false,
    error: null,
    tokenizer: undefined as unknown as Tokenizer,
  };
  recording.tokenizer = new Tokenizer(
    {
      onStreamStart(header) {
        recording.header = header;
        recording.events.push(['start', shape(header)]);
        also.onStreamStart?.(header);
      },
      onElement(element) {
        recording.elements.push(element);
        recording.events.push(['element', shape(element), recording.tokenizer.offset]);
        also.onElement?.(element);
      },
      onStreamEnd() {
        recording.ended = true;
        recording.events.push(['end', recording.tokenizer.offset]);
        also.onStreamEnd?.();
      },
      onError(error) {
        if (recording.error !== null) throw new Error('two errors were reported');
        recording.error = error;
        recording.events.push(['error', error.code, error.condition, error.offset, error.message]);
        also.onError?.(error);
      },
    },
    limits,
  );
  return recording;
}

export const bytesOf = (...parts: (string | number[] | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

/** Cuts bytes into chunks: one size for all, or sizes from a function. */
export function chunksOf(bytes: Uint8Array, size: number | (() => number)): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Math.max(1, typeof size === 'number' ? size : size());
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

export function record(
  input: string | Uint8Array,
  size: number | (() => number) = Infinity,
  limits?: Partial<XmlLimits>,
): Recording {
  const recording = recorder(limits);
  for (const chunk of chunksOf(typeof input === 'string' ? Buffer.from(input) : input, size)) {
    recording.tokenizer.write(chunk);
  }
  return recording;
}

/** Reads the input whole and in several cuts, and fails if that makes any difference. */
export function recordAllWays(input: string | Uint8Array, limits?: Partial<XmlLimits>): Recording {
  const whole = record(input, Infinity, limits);
  const expected = JSON.stringify(whole.events);
  for (const size of [1, 2, 3, 5, 7, 64]) {
    const other = record(input, size, limits);
    if (JSON.stringify(other.events) !== expected) {
      throw new Error(
        `chunks of ${size} give ${JSON.stringify(other.events).slice(-400)}\nthe whole gives ${expected.slice(-400)}`,
      );
    }
  }
  return whole;
}
