import { SaxesParser } from 'saxes';
import { Attr } from '../../../src/xml/attr.js';
import { Element } from '../../../src/xml/element.js';
import { QName } from '../../../src/xml/qname.js';
import { Text } from '../../../src/xml/text.js';

/** Builds the light tree of one element with another parser than the library's. */
export function tree(source: string): Element {
  const parser = new SaxesParser({ xmlns: true });
  const roots: Element[] = [];
  let open: Element | null = null;
  const text = (data: string) => {
    if (data !== '') open?.appendChild(new Text(data));
  };
  parser.on('text', text);
  parser.on('cdata', text);
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', (tag) => {
    const element = new Element(new QName(tag.prefix || null, tag.local, tag.uri || null));
    let last: Attr | null = null;
    for (const { prefix, local, uri, value } of Object.values(tag.attributes)) {
      const name =
        prefix === 'xmlns' && local === ''
          ? new QName(null, 'xmlns', uri)
          : new QName(prefix || null, local, uri || null);
      const attr = new Attr(name, value, element);
      if (last === null) element.firstAttribute = attr;
      else last.nextAttribute = attr;
      last = attr;
    }
    if (open === null) roots.push(element);
    else open.appendChild(element);
    open = element;
  });
  parser.on('closetag', () => {
    open = open?.parentElement ?? null;
  });
  parser.write(source).close();
  return roots[0]!;
}
