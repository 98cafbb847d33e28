import { Attr } from './attr.js';
import type { Element } from './element.js';
import type { XmlLimits } from './limits.js';
import { type Name, nameAt } from './names.js';
import {
  byteAt,
  endOfName,
  endOfPlainText,
  endOfPlainValue,
  endOfText,
  endOfValue,
  endsName,
  isNameStart,
} from './runs.js';
import type { Namespace } from './scope.js';
import type { Tree } from './tree.js';
import { bytes, type Window } from './window.js';

/**
 * The fast lane: reads what nearly every stanza is made of, tags and texts that are whole within the window and hold
 * nothing special, in one loop. It stops in front of anything else without having touched it; the state machines of
 * {@link StartTag}, {@link EndTag} and {@link CharacterData} read that, and give the same result for what the lane can
 * read as well.
 *
 * The loop keeps the newest objects in local variables, because storing them in an old object is what costs most, and
 * has its bytes as numbers, because the engine takes nothing else for constant.
 */
export class Lane {
  /** The stanza that was completed. */
  stanza: Element | null = null;

  constructor(
    private readonly window: Window,
    private readonly tree: Tree,
    private readonly limits: XmlLimits,
  ) {}

  /**
   * Reads on from a place between tags. Gives why it stopped: a stanza is complete, or something is not ordinary in
   * the content or behind a name or value in a start tag.
   * @throws Fault
   */
  run(): 'stanza' | 'content' | 'tag' {
    const { window, tree } = this;
    const { nameBytes, attributes: mostAttributes, attributeValueBytes } = this.limits;
    const { text } = window;
    let { element, tag } = tree;
    let i = window.at | 0;
    for (;;) {
      const plain = endOfPlainText(i) | 0;
      const stop = byteAt(plain) < 0x80 ? plain : endOfText(plain) | 0;
      if (byteAt(stop) !== 0x3c /* < */) break;
      const first = (stop + 1) | 0;

      if (byteAt(first) === 0x2f /* / */) {
        const { packed } = tree.openName as Name;
        const behind = (first + 1 + packed.length) | 0;
        if (!packed.isAt(first + 1) || byteAt(behind) !== 0x3e /* > */) break;
        if (stop > i) {
          window.at = first;
          tree.text(stop === plain ? text.slice(i, stop) : bytes.utf8Slice(i, stop), element as Element);
        }
        i = (behind + 1) | 0;
        if (--tree.depth === 1) return this.complete(i, element as Element, tag);
        element = (element as Element).parentElement;
        continue;
      }

      if (!isNameStart(first)) break;
      const likely: Name | null = tag === null ? null : tag.likelyElement(first);
      const behind = likely === null ? endOfName(first) | 0 : (first + likely.packed.length) | 0;
      if (!endsName(behind) || behind - first > nameBytes) break;
      if (stop > i) {
        window.at = first;
        tree.text(stop === plain ? text.slice(i, stop) : bytes.utf8Slice(i, stop), element as Element);
      }
      i = behind;
      window.at = i;
      const name: Name = likely ?? nameAt(bytes, first, i);
      if (likely === null && tag !== null) tag.rememberElement(name);
      tag = name;
      element = tree.make(name, element);

      let last: Attr | null = null;
      let count = 0;
      let bits = 0;
      while (byteAt(i) === 0x20 /* blank */ && isNameStart(i + 1)) {
        const start = (i + 1) | 0;
        let attribute: Name | null = name.likelyAttribute(count, start);
        const equals = attribute === null ? endOfName(start) | 0 : (start + attribute.packed.length) | 0;
        const from = (equals + 2) | 0;
        const quote = byteAt(equals + 1);
        if (byteAt(equals) !== 0x3d /* = */ || (quote !== 0x27 /* ' */ && quote !== 0x22) /* " */) break;
        const declared: Namespace | null =
          attribute?.attributeKind === 2 /* xmlns */ ? name.likelyNamespace(from, quote) : null;
        let to: number;
        let value: string;
        if (declared === null) {
          const plainTo = endOfPlainValue(from) | 0;
          to = byteAt(plainTo) < 0x80 ? plainTo : endOfValue(plainTo) | 0;
          if (byteAt(to) !== quote) break;
          value = to === plainTo ? text.slice(from, to) : bytes.utf8Slice(from, to);
        } else {
          value = declared.uri as string;
          to = (from + value.length) | 0;
        }
        if (equals - start > nameBytes || to - from > attributeValueBytes) break;
        if (attribute === null) {
          window.at = equals;
          attribute = nameAt(bytes, start, equals);
          name.rememberAttribute(count, attribute);
        }
        if ((bits & attribute.bit) !== 0 || count >= mostAttributes) {
          window.at = equals;
          tree.checkAttribute(attribute, element, count);
        }
        bits |= attribute.bit;
        count++;
        if (attribute.attributeKind !== 0 /* ordinary */) {
          window.at = to;
          if (declared === null) tree.special(attribute, value);
          else tree.declareDefault(declared);
        }
        const attr: Attr = new Attr(attribute.attributeName, value, element);
        if (last === null) element.firstAttribute = attr;
        else last.nextAttribute = attr;
        last = attr;
        i = (to + 1) | 0;
      }

      if (byteAt(i) === 0x3e /* > */) {
        i = (i + 1) | 0;
        window.at = i;
        tree.settle(element, name);
        tree.enter(name);
      } else if (byteAt(i) === 0x2f /* / */ && byteAt(i + 1) === 0x3e /* > */) {
        i = (i + 2) | 0;
        window.at = i;
        tree.settle(element, name);
        if (tree.depth === 1) return this.complete(i, element, name);
        element = element.parentElement;
      } else {
        tree.lastAttribute = last;
        tree.attributes = count;
        tree.attributeBits = bits;
        this.save(i, element, name);
        return 'tag';
      }
    }
    this.save(i, element, tag);
    return 'content';
  }

  private complete(i: number, element: Element, tag: Name | null): 'stanza' {
    this.save(i, null, tag);
    this.stanza = element;
    return 'stanza';
  }

  private save(i: number, element: Element | null, tag: Name | null): void {
    this.window.at = i;
    this.tree.element = element;
    this.tree.tag = tag;
  }
}
