/** Stanzas and filters that cost as much as their limits allow: what a stranger sends, and what a careless program adds. */

const DEPTH = 64;
const nested = (content) => '<a>'.repeat(DEPTH) + content + '</a>'.repeat(DEPTH);

/** By name, as XML. Each is near the default limit of depth, of nodes or of bytes. */
export const STANZAS = {
  deep: nested(''),
  wide: `<a>${'<a/>'.repeat(20_000)}</a>`,
  'deep and wide': `<a>${`<a>${'<a>'.repeat(DEPTH - 2)}${'</a>'.repeat(DEPTH - 2)}</a>`.repeat(300)}</a>`,
  'much text': nested('ab '.repeat(85_000)),
  'many attributes': `<a>${`<a b='1' c='2' d='3'/>`.repeat(5_000)}</a>`,
};

export const EXPRESSIONS = [
  '//a//a//a//a',
  '//*[.//*[.//*]]',
  '//*[.//x[.//y]]',
  '//a[count(preceding::a)>0]',
  '//a[count(preceding::a)>1000000]',
  'string-length(//*)',
  '//*[contains(., "zz")]',
  '//a[. = //a]',
  '//a[translate(., "ab", "ba") = "x"]',
  '//a/ancestor::*/descendant::*/ancestor::x',
  'count(//a/following::*/preceding::*)',
  '//@*/../@*/../@*[. = "x"]',
  'count(//namespace::*)',
  Array(500).fill('//x').join('|'),
  `concat(${Array(500).fill('.').join(',')}) = "x"`,
  `//*[${Array.from({ length: 400 }, (_, i) => `self::x${i}`).join(' or ')}]`,
  `//*[${Array.from({ length: 400 }, (_, i) => `@x${i} = "1"`).join(' or ')}]`,
  `//*[${Array(2000).fill('1').join(' + ')} = 7]`,
  `//*${'/self::*'.repeat(200)}/x`,
  'count(//a[not(preceding::*)]) = 7',
  '//*[string(1 div 3) = string(position())]',
  'sum(//*) = 7',
];
