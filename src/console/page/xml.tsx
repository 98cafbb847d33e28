// XML for people: over several lines, and in colours. It is read as text only, so nothing in it can become markup.
import type { JSX } from 'preact';

/** Longest text that is laid out, in UTF-16 code units. */
const LONGEST = 65_536;

type Part = readonly [kind: 'mark' | 'name' | 'attribute' | 'value' | 'text', text: string];

interface Line {
  readonly depth: number;
  readonly parts: readonly Part[];
}

/** A tag, with its attributes, as our serializer writes it. */
const TAG = /<(\/?)([^\s/>]+)((?:\s+[^\s=]+=(?:'[^']*'|"[^"]*"))*)\s*(\/?)>/y;
const ATTRIBUTE = /\s+([^\s=]+)=('[^']*'|"[^"]*")/g;

/** XML, pretty-printed. What is no XML is shown as it is. */
export function Xml({ xml }: { readonly xml: string }): JSX.Element {
  const lines = xml.length > LONGEST ? null : linesOf(xml);
  if (lines === null) return <pre class="xml">{xml}</pre>;
  return (
    <pre class="xml">
      {lines.map(({ depth, parts }, at) => (
        <span key={at} class="line">
          {'  '.repeat(depth)}
          {parts.map(([kind, text], place) => (
            <span key={place} class={`x-${kind}`}>
              {text}
            </span>
          ))}
          {'\n'}
        </span>
      ))}
    </pre>
  );
}

/** Null: it is not what our serializer writes. */
export function linesOf(xml: string): readonly Line[] | null {
  const lines: { depth: number; parts: Part[] }[] = [];
  /** Of each open element: whether something but a tag was in it, so that it stays on its line. */
  const mixed: boolean[] = [];
  let isInline = false;
  let at = 0;
  while (at < xml.length) {
    const depth = mixed.length;
    if (xml[at] !== '<') {
      const end = xml.indexOf('<', at);
      const text = xml.slice(at, end < 0 ? undefined : end);
      at += text.length;
      const current = lines.at(-1);
      if (text.trim() === '' || current === undefined) continue;
      mixed[depth - 1] = true;
      isInline = true;
      current.parts.push(['text', text]);
      continue;
    }
    TAG.lastIndex = at;
    const found = TAG.exec(xml);
    if (found === null) return null;
    const [whole, end = '', name = '', attributes = '', empty = ''] = found;
    at += whole.length;
    const parts = tagParts(end, name, attributes, empty);
    const current = lines.at(-1);
    if (end !== '') {
      const wasMixed = mixed.pop() === true;
      if (current !== undefined && (wasMixed || isInline)) current.parts.push(...parts);
      else lines.push({ depth: depth - 1, parts });
      isInline = mixed.at(-1) === true;
      continue;
    }
    if (isInline && current !== undefined) current.parts.push(...parts);
    else lines.push({ depth, parts });
    if (empty === '') mixed.push(isInline);
  }
  return lines;
}

function tagParts(end: string, name: string, attributes: string, empty: string): Part[] {
  const pairs = [...attributes.matchAll(ATTRIBUTE)].flatMap(([, attribute = '', value = '']): Part[] => [
    ['attribute', ` ${attribute}`],
    ['mark', '='],
    ['value', value],
  ]);
  return [['mark', `<${end}`], ['name', name], ...pairs, ['mark', `${empty}>`]];
}
