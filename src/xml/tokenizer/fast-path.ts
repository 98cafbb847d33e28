import * as attr from '../attr.js';
import type { Element } from '../element.js';
import type { XmlLimits } from './limits.js';
import type { Name } from './name.js';
import * as names from './names.js';
import * as runs from './runs.js';
import type { Namespace } from './namespace-scope.js';
import type { Tree } from './tree.js';
import * as windows from './window.js';

// Constants of this module: what is imported is looked up, and looked at, each time it is used.
const { Attr } = attr;
const { ATTRIBUTES, guess, learn, lengthOf, NO_NAME, nameAt, nameOf } = names;
const { endOfName, endOfPlainText, endOfPlainValue, endOfText, endOfValue, endsName, isNameStart } = runs;
const { bytes } = windows;

/**
 * The fast path: reads what nearly every stanza is made of, tags and texts that are whole within the window and hold
 * nothing special, in one loop. It stops in front of anything else without having touched it; the state machines of
 * {@link StartTag}, {@link EndTag} and {@link CharacterData} read that, and give the same result for what the fast path can
 * read as well.
 *
 * The loop keeps the newest objects in local variables, because storing them in an old object is what costs most, and
 * has its bytes as numbers, because the engine takes nothing else for constant.
 */
export class FastPath {
  /** The stanza that was completed. */
  stanza: Element | null = null;

  constructor(
    private readonly window: windows.Window,
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
    let context = tag === null ? NO_NAME : tag.number;
    let i = window.at | 0;
    for (;;) {
      const plain = endOfPlainText(i) | 0;
      const stop = (bytes[plain] as number) < 0x80 ? plain : endOfText(plain) | 0;
      if (bytes[stop] !== 0x3c /* < */) break;
      const first = (stop + 1) | 0;

      if (bytes[first] === 0x2f /* / */) {
        const { packed } = tree.openName as Name;
        const behind = (first + 1 + packed.length) | 0;
        if (!packed.isAt(first + 1) || bytes[behind] !== 0x3e /* > */) break;
        if (stop > i) {
          window.at = first;
          tree.text(stop === plain ? text.slice(i, stop) : bytes.toString('utf8', i, stop), element as Element);
        }
        i = (behind + 1) | 0;
        if (--tree.depth === 1) return this.complete(i, element as Element, tag);
        element = (element as Element).parentElement;
        continue;
      }

      if (!isNameStart(first)) break;
      const guessed = guess(context, first) | 0;
      let behind = (first + lengthOf(guessed)) | 0;
      let name: Name | null = null;
      if (guessed !== NO_NAME && endsName(behind)) name = nameOf(guessed);
      else behind = endOfName(first) | 0;
      if (!endsName(behind) || behind - first > nameBytes) break;
      if (stop > i) {
        window.at = first;
        tree.text(stop === plain ? text.slice(i, stop) : bytes.toString('utf8', i, stop), element as Element);
      }
      i = behind;
      window.at = i;
      if (name === null) {
        name = nameAt(bytes, first, i);
        learn(context, first, name);
      }
      tag = name;
      context = name.number;
      element = tree.make(name, element);

      let last: attr.Attr | null = null;
      let count = 0;
      let bits = 0;
      while (bytes[i] === 0x20 /* blank */ && isNameStart(i + 1)) {
        const start = (i + 1) | 0;
        const guessed = guess(context + ATTRIBUTES, start) | 0;
        let equals = (start + lengthOf(guessed)) | 0;
        let attribute: Name | null = null;
        if (guessed !== NO_NAME && bytes[equals] === 0x3d /* = */) attribute = nameOf(guessed);
        else equals = endOfName(start) | 0;
        const from = (equals + 2) | 0;
        const quote = bytes[equals + 1];
        if (bytes[equals] !== 0x3d /* = */ || (quote !== 0x27 /* ' */ && quote !== 0x22) /* " */) break;
        const declared: Namespace | null =
          attribute?.attributeKind === 2 /* xmlns */ ? name.likelyNamespace(from, quote) : null;
        let to: number;
        let value: string;
        if (declared === null) {
          const plainTo = endOfPlainValue(from) | 0;
          to = (bytes[plainTo] as number) < 0x80 ? plainTo : endOfValue(plainTo) | 0;
          if (bytes[to] !== quote) break;
          value = to === plainTo ? text.slice(from, to) : bytes.toString('utf8', from, to);
        } else {
          value = declared.uri as string;
          to = (from + value.length) | 0;
        }
        if (equals - start > nameBytes || to - from > attributeValueBytes) break;
        if (attribute === null) {
          window.at = equals;
          attribute = nameAt(bytes, start, equals);
          learn(context + ATTRIBUTES, start, attribute);
        }
        if ((bits & attribute.bit) !== 0 || count >= mostAttributes) {
          window.at = equals;
          tree.checkAttribute(attribute, element, count);
        }
        bits |= attribute.bit;
        count++;
        if (attribute.attributeKind !== 0 /* ordinary */) {
          window.at = to;
          if (declared === null) tree.special(attribute, value, name);
          else tree.declareDefault(declared);
        }
        const made: attr.Attr = new Attr(attribute.attributeName, value, element);
        if (last === null) element.firstAttribute = made;
        else last.nextAttribute = made;
        last = made;
        i = (to + 1) | 0;
      }

      if (bytes[i] === 0x3e /* > */) {
        i = (i + 1) | 0;
        window.at = i;
        tree.settle(element, name);
        tree.enter(name);
      } else if (bytes[i] === 0x2f /* / */ && bytes[i + 1] === 0x3e /* > */) {
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
