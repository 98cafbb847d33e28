/**
 * The techniques that make the code longer than it had to be, and how to do without each: patches of the built package,
 * or compiler options. `text` says what is done with it, `workloads` where it should show.
 */

/** Replaces one place; more of them with `times`. */
const patch = (file, find, put, times = 1) => ({ file, find, put, times });

const FAST_PATH = 'xml/tokenizer/fast-path.js';
const RUNS = 'xml/tokenizer/runs.js';
const NAME = 'xml/tokenizer/name.js';
const NAMES = 'xml/tokenizer/names.js';
const PACKED = 'xml/tokenizer/packed-bytes.js';
const SCOPE = 'xml/tokenizer/namespace-scope.js';
const CHARACTER_DATA = 'xml/tokenizer/character-data.js';
const START_TAG = 'xml/tokenizer/start-tag.js';
const BUILDER = 'xml/builder.js';
const KNOWN = 'xml/known-attribute.js';
const BUCKET = 'filters/index/bucket.js';
const PATTERNS = 'filters/index/pattern-table.js';
const PARTS = 'filters/index/part-index.js';
const FILTER_SET = 'filters/filter-set.js';
const ENTRY = 'filters/entry.js';

/** The beginning of a loop over words of four bytes, up to its end. */
const wordLoop = (name) =>
  new RegExp(`(export function ${name}\\(i\\) \\{\\n)    for \\(;;\\) \\{[\\s\\S]*?\\n    \\}\\n`);

export const TECHNIQUES = [
  {
    key: 'fast path',
    text: 'ordinary tags and texts are read in one loop',
    workloads: ['parse', 'parse-1460'],
    patches: [patch(FAST_PATH, `        const { window, tree } = this;\n`, `        return 'content';\n`)],
  },
  {
    key: 'guessed names',
    text: 'which name comes next in a tag is guessed',
    workloads: ['parse'],
    patches: [
      patch(NAMES, 'export function guess(context, i) {', '$& return NO_NAME;'),
      patch(NAMES, 'export function learn(context, i, name) {', '$& return;'),
    ],
  },
  {
    key: 'guessed namespaces',
    text: 'a namespace is guessed from the tag that declares it',
    workloads: ['parse'],
    patches: [patch(NAME, '    likelyNamespace(i, quote) {', '$& return null;')],
  },
  {
    key: 'kept names',
    text: 'a table keeps the names of elements and attributes',
    workloads: ['parse'],
    patches: [
      patch(NAMES, /\n {4}const first = names\[2 \* pair\];[\s\S]*?return second;/, ''),
      patch(NAMES, 'export function guess(context, i) {', '$& return NO_NAME;'),
    ],
  },
  {
    key: 'kept namespaces',
    text: 'a table keeps namespaces, each name what it is in them',
    workloads: ['parse'],
    patches: [
      patch(SCOPE, /\n {4}const first = cache\[2 \* pair\];[\s\S]*?return second;/, ''),
      patch(NAME, '    likelyNamespace(i, quote) {', '$& return null;'),
    ],
  },
  {
    key: 'bytes four at a time',
    text: 'text and values are searched for their ends four bytes at a time',
    workloads: ['parse', 'strings'],
    patches: [
      patch(
        RUNS,
        wordLoop('endOfPlainText'),
        '$1    while (text[bytes[i]] === plain)\n        i = (i + 1) | 0;\n    return i;\n',
      ),
      patch(
        RUNS,
        wordLoop('endOfPlainValue'),
        '$1    while (value[bytes[i]] === plain)\n        i = (i + 1) | 0;\n    return i;\n',
      ),
    ],
  },
  {
    key: 'packed bytes',
    text: 'names in end tags and namespaces are compared four bytes at a time',
    workloads: ['parse'],
    patches: [
      patch(PACKED, '        this.length = length;\n', '$&        this.bytes = bytes;\n'),
      patch(
        PACKED,
        /( {4}isAt\(i\) \{\n)[\s\S]*?\n {4}\}\n\}/,
        '$1        const { bytes } = this;\n        for (let k = 0; k < bytes.length; k++) if (view.getUint8(i + k) !== bytes[k]) return false;\n        return true;\n    }\n}',
      ),
    ],
  },
  {
    key: 'one character a byte',
    text: 'plain ASCII is cut out of a string of the window instead of being decoded',
    workloads: ['parse'],
    patches: [
      patch(FAST_PATH, 'stop === plain ? text.slice(i, stop) : bytes', 'bytes', 2),
      patch(FAST_PATH, 'to === plainTo ? text.slice(from, to) : bytes', 'bytes'),
      patch(CHARACTER_DATA, 'stop === plain ? window.text.slice(start, stop) : bytes', 'bytes'),
      patch(START_TAG, 'stop === plain ? window.text.slice(start, stop) : bytes', 'bytes'),
    ],
  },
  {
    key: 'bits of names',
    text: 'most attributes are told apart by one bit of their names',
    workloads: ['parse'],
    patches: [patch(FAST_PATH, '(bits & attribute.bit) !== 0', 'count > 0')],
  },
  {
    key: 'constants of modules',
    text: 'inner loops take imports into constants of their module',
    workloads: ['parse'],
    patches: [
      patch(FAST_PATH, "import * as attr from '../attr.js';", "import { Attr } from '../attr.js';"),
      patch(
        FAST_PATH,
        "import * as names from './names.js';",
        "import { ATTRIBUTES, guess, learn, lengthOf, NO_NAME, nameAt, nameOf } from './names.js';",
      ),
      patch(
        FAST_PATH,
        "import * as runs from './runs.js';",
        "import { endOfName, endOfPlainText, endOfPlainValue, endOfText, endOfValue, endsName, isNameStart } from './runs.js';",
      ),
      patch(FAST_PATH, "import * as windows from './window.js';", "import { bytes } from './window.js';"),
      patch(FAST_PATH, /\nconst \{ .* \} = (attr|names|runs|windows);/, '', 4),
      patch(RUNS, 'bytes as windowBytes, view as windowView', 'bytes, view'),
      patch(RUNS, 'TEXT_CLASS, VALUE_CLASS, }', 'TEXT_CLASS as text, VALUE_CLASS as value, }'),
      patch(
        RUNS,
        'import { BYTE_CLASS, CDATA_CLASS, ENDS_NAME, IS_NAME, IS_NAME_START, PLAIN, SPECIAL,',
        'import { BYTE_CLASS as markup, CDATA_CLASS as cdata, ENDS_NAME as nameEnd, IS_NAME as name, IS_NAME_START as nameStart, PLAIN as plain, SPECIAL as special,',
      ),
      patch(RUNS, /\nconst \w+ = (windowBytes|windowView|[A-Z_]+);/, '', 11),
      patch(NAMES, 'view as windowView', 'view'),
      patch(NAMES, '\nconst view = windowView;', ''),
      patch(NAME, 'bytes as windowBytes', 'bytes'),
      patch(NAME, '\nconst bytes = windowBytes;', ''),
      patch(PACKED, 'view as windowView', 'view'),
      patch(PACKED, '\nconst view = windowView;', ''),
    ],
  },
  {
    key: 'bytes as numbers',
    text: 'the fast path writes its bytes as numbers',
    workloads: ['parse'],
    patches: [
      patch(
        FAST_PATH,
        "import * as attr from '../attr.js';",
        "$&\nimport { APOSTROPHE, EQUALS, GT, LT, QUOTE, SLASH } from '../characters.js';",
      ),
      patch(FAST_PATH, '0x3c /* < */', 'LT'),
      patch(FAST_PATH, '0x2f /* / */', 'SLASH', 2),
      patch(FAST_PATH, '0x3e /* > */', 'GT', 3),
      patch(FAST_PATH, '0x3d /* = */', 'EQUALS', 2),
      patch(FAST_PATH, "0x27 /* ' */ && quote !== 0x22)", 'APOSTROPHE && quote !== QUOTE)'),
    ],
  },
  {
    key: 'small integers',
    text: 'places in the window are marked as integers',
    workloads: ['parse'],
    patches: [patch(FAST_PATH, / \| 0\b/, '', 20), patch(RUNS, / \| 0\b/, '', 10)],
  },
  {
    key: 'idle reader',
    text: 'parse() keeps its reader for the next string',
    workloads: ['strings'],
    patches: [patch('xml/tokenizer/parse.js', '        idle = reader;', '        idle = null;')],
  },
  {
    key: 'assigned class fields',
    text: 'class fields are assigned, not defined',
    workloads: ['parse', 'match-10', 'write', 'output'],
    compile: ['--useDefineForClassFields', 'true'],
  },
  {
    key: 'kept values',
    text: 'a value that programs give an attribute again is kept with its markup',
    workloads: ['write', 'write-mixed', 'output'],
    patches: [
      patch(KNOWN, 'if (value === this.value)', 'if (false)'),
      patch(KNOWN, 'if (this.misses++ % KEPT_ONCE_IN === 0)', 'if (false)'),
    ],
  },
  {
    key: 'usual attributes',
    text: 'the attributes that an element had last are expected',
    workloads: ['write', 'write-mixed'],
    patches: [
      patch(BUILDER, 'let known = usual[place];', 'let known = undefined;'),
      patch(BUILDER, 'if (place < USUAL && mayKeepName(name))', 'if (false)'),
    ],
  },
  {
    key: 'known elements',
    text: 'a table keeps the names of elements that programs give',
    workloads: ['write', 'write-mixed'],
    patches: [patch(BUILDER, 'knownElements.get(name) ?? elementName', 'elementName')],
  },
  {
    key: 'plain texts noted',
    text: 'texts and values that were found plain are not searched again',
    workloads: ['write', 'write-mixed'],
    patches: [
      patch('xml/attr.js', 'this.writing === this.value ? this.value : escapeValue', 'escapeValue'),
      patch('xml/text.js', 'this.plain === this.data ? this.data : escapeText', 'escapeText'),
    ],
  },
  {
    key: 'markup of names',
    text: 'how a name is written is kept with it',
    workloads: ['write', 'write-mixed', 'relay'],
    patches: [
      patch('xml/qname.js', 'start: new Piece(`<${name}`),', 'get start() { return new Piece(`<${name}`); },'),
      patch('xml/qname.js', /declared: (.*),\n/, 'get declared() { return $1; },\n'),
      patch('xml/qname.js', 'end: new Piece(`</${name}>`),', 'get end() { return new Piece(`</${name}>`); },'),
      patch('xml/qname.js', "first: new Piece(` ${name}='`),", "get first() { return new Piece(` ${name}='`); },"),
      patch('xml/qname.js', "next: new Piece(`' ${name}='`),", "get next() { return new Piece(`' ${name}='`); },"),
    ],
  },
  {
    key: 'joined pieces',
    text: 'markup that follows on markup again becomes one piece',
    workloads: ['write', 'write-mixed', 'relay', 'output'],
    patches: [patch('xml/piece.js', '    with(next) {', '$& return null;')],
  },
  {
    key: 'for in',
    text: 'attributes are listed without an array',
    workloads: ['write', 'write-mixed'],
    patches: [
      patch(BUILDER, 'for (const name in attributes) {', 'for (const name of Object.keys(attributes)) {'),
      patch(BUILDER, /\n {8}if \(!Object\.prototype\.hasOwnProperty\.call\(attributes, name\)\)\n {12}continue;/, ''),
    ],
  },
  {
    key: 'classes of what is plain',
    text: 'what has to be escaped is searched for by what has not',
    workloads: ['write', 'relay'],
    patches: [
      patch(
        'xml/escape.js',
        /const TEXT_SUSPECT = .*;/,
        'const TEXT_SUSPECT = /[\\0-\\x08\\x0b-\\x1f&<>\\ud800-\\udfff\\ufffe\\uffff]/;',
      ),
      patch(
        'xml/escape.js',
        /const VALUE_SUSPECT = .*;/,
        "const VALUE_SUSPECT = /[\\0-\\x1f&<'\\ud800-\\udfff\\ufffe\\uffff]/;",
      ),
    ],
  },
  {
    key: 'one clock a turn',
    text: 'tickets of one turn share their time',
    workloads: ['output'],
    patches: [
      patch(
        'queue/ticket.js',
        /function thisTurn\(\) \{[\s\S]*?\n\}/,
        'function thisTurn() { return { begun: performance.now() }; }',
      ),
    ],
  },
  {
    key: 'bytes at most',
    text: 'bytes of a stanza are counted when it matters',
    workloads: ['output'],
    patches: [patch('queue/send-buffer.js', /get costAtMost\(\) \{/, '$& return this.cost;')],
  },
  {
    key: 'bloom filter',
    text: 'most texts that nobody asks for are told by a few of their characters',
    workloads: ['match-10', 'match-10000', 'match-typical'],
    patches: [
      patch(BUCKET, ' || !this.#filter.has(text)', ''),
      patch(BUCKET, /\n {8}if \(this\.#filter\.isFull\)[\s\S]*?this\.#filter\.add\(key\);/, ''),
    ],
  },
  {
    key: 'longest key',
    text: 'what is longer than everything asked for is not looked up',
    workloads: ['match-10', 'match-10000', 'match-typical'],
    patches: [patch(BUCKET, 'text.length > this.longestKey || ', '')],
  },
  {
    key: 'remembered finds',
    text: 'what is filed under a name is remembered with it',
    workloads: ['match-10', 'match-10000', 'match-typical'],
    patches: [
      patch(
        'filters/index/name-table.js',
        /( {4}find\(name\) \{\n)[\s\S]*?\n {4}\}/,
        '$1        return this.#lookUp(name);\n    }',
      ),
    ],
  },
  {
    key: 'mask of patterns',
    text: 'look-ups of four characters end at a bit of a mask',
    workloads: ['match-alike', 'match-10000', 'match-typical'],
    patches: [
      patch(
        PATTERNS,
        /\n {8}if \(\(\(this\.#mask\[fine >>> 5\] >>> \(fine & 31\)\) & 1\) === 0\)\n {12}return null;/,
        '',
      ),
    ],
  },
  {
    key: 'ends of patterns',
    text: 'texts are compared if their last characters may fit',
    workloads: ['match-alike', 'match-10000', 'match-typical'],
    patches: [patch(PATTERNS, ' || (this.ends & endOf(text, end)) === 0', '')],
  },
  {
    key: 'every fourth place',
    text: 'long texts are searched for at every fourth place',
    workloads: ['match-10000', 'match-typical'],
    patches: [patch(PARTS, /stride: endianness\(\) === 'BE' .*,/, 'stride: 1,')],
  },
  {
    key: 'sorted by insertion',
    text: 'few candidates are sorted by insertion',
    workloads: ['match-10000', 'match-typical'],
    patches: [patch(ENTRY, 'if (entries.length > FEW) {', 'if (entries.length > 1) {')],
  },
  {
    key: 'compiled when needed',
    text: 'expressions of rare candidates are compiled when they are',
    workloads: ['add'],
    patches: [patch(FILTER_SET, '    #isRare(keys) {', '$& return false;')],
  },
  {
    key: 'shared matchers',
    text: 'filters that ask only for the name of the stanza share a matcher',
    workloads: ['add', 'match-10000'],
    patches: [patch(FILTER_SET, 'const name = decidingName(expr, keys);', 'const name = null;')],
  },
];
