// The Bidi Rule: RFC 5893 §2, which RFC 8265 §3.3.3 applies to user names.
// JavaScript has no bidirectional classes. Those of the characters that identifiers may hold follow from their
// blocks and general categories; the short lists are the exceptions in Unicode 14.0.

const DIGIT_ARABIC = /[\u0660-\u0669\u{10d30}-\u{10d39}]/u;
const DIGIT_EUROPEAN = /[0-9\u06f0-\u06f9]/u;
const LETTER_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const MARK = /(?![\u0cbf\u0cc6\u{11a07}\u{11a08}\u{11c3f}])\p{Mn}/u;
const NEUTRAL = /[!-~\u00b7\u02b9\u02ba\u02c6-\u02cf\u02ec\u0375\u2e2f\u30fb\ua67f\ua717-\ua71f\ua788]/u;

/** One letter for the class of a character: Left, Right (R and AL), Arabic digit, European digit, Mark, joiner, other. */
function classOf(character: string): 'L' | 'R' | 'A' | 'E' | 'M' | 'B' | 'O' {
  if (character === '\u200c' || character === '\u200d') return 'B';
  if (MARK.test(character)) return 'M';
  if (DIGIT_ARABIC.test(character)) return 'A';
  if (DIGIT_EUROPEAN.test(character)) return 'E';
  if (LETTER_RIGHT.test(character)) return 'R';
  if (/[a-z]/i.test(character)) return 'L';
  return NEUTRAL.test(character) ? 'O' : 'L';
}

function classesOf(text: string): string {
  let classes = '';
  for (const character of text) classes += classOf(character);
  return classes;
}

/** Whether the rule applies at all: the text holds a right-to-left character. */
export function isRightToLeft(text: string): boolean {
  return /[RA]/.test(classesOf(text));
}

/** Whether a label or user name satisfies the six conditions of the rule. */
export function obeysBidiRule(text: string): boolean {
  const classes = classesOf(text);
  if (classes.startsWith('R')) {
    return /^[RAEOBM]*[RAE]M*$/.test(classes) && !(classes.includes('A') && classes.includes('E'));
  }
  return /^L[LEOBM]*$/.test(classes) && /[LE]M*$/.test(classes);
}
