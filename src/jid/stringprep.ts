// What servers with the older rules make of a local part or resource: Nodeprep and Resourceprep, RFC 6122 appendices
// A and B, on stringprep, RFC 3454. Used to compare addresses only; nothing is ever sent in this form.

/** RFC 3454 table B.1: mapped to nothing. */
const MAPPED_TO_NOTHING = /[\u034f\u180b-\u180d\ufe00-\ufe0f\u00ad\u1806\u200b-\u200d\u2060\ufeff]/gu;
/** RFC 3454 tables C.1.2 and C.2 to C.9, without what normalization has already removed. */
const PROHIBITED =
  /[\u0340\u0341\p{Zs}\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u06dd\u070f\u180e\u2028\u2029\u2061-\u2063\u206a-\u206f\u{1d173}-\u{1d17a}\ufff9-\ufffd\u2ff0-\u2ffb\u200e\u200f\u202a-\u202e\u{e0001}\u{e0020}-\u{e007f}]/u;
/** RFC 6122 appendix A.5, and the space. */
const PROHIBITED_IN_LOCAL = /[ "&'/:<>@]/;

/** The local part after Nodeprep, or null when Nodeprep refuses it. */
export function nodeprep(local: string): string | null {
  let text = local.replace(MAPPED_TO_NOTHING, '');
  // Table B.2: folding and normalizing twice reaches what the table lists for each character.
  text = fold(fold(text).normalize('NFKC')).normalize('NFKC');
  return PROHIBITED_IN_LOCAL.test(text) ? null : accept(text);
}

/** The resource after Resourceprep, or null when Resourceprep refuses it. */
export function resourceprep(resource: string): string | null {
  return accept(resource.replace(MAPPED_TO_NOTHING, '').normalize('NFKC'));
}

function accept(text: string): string | null {
  const bytes = Buffer.byteLength(text);
  return bytes === 0 || bytes > 1023 || PROHIBITED.test(text.replaceAll(' ', '')) ? null : text;
}

/**
 * Unicode full case folding by way of the upper case, which also splits ligatures and the sharp s. The dotless i is
 * left out because its upper case is that of the dotted one.
 */
function fold(text: string): string {
  const upper = text.toLowerCase().replace(/[^\u0131]+/gu, (run) => run.toUpperCase());
  return upper.toLowerCase();
}
