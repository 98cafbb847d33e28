// What a hostile peer sends. The program of the attacker and that of the victim read the same table.

/** One attack: what is sent when the victim is that far, and what becomes of the stream. */
export interface Attack {
  readonly dialect: 'component' | 'client';
  /** In place of what it is sent: the header, the features, what answers `<auth/>`, or behind all of it. */
  readonly at: 'header' | 'features' | 'auth' | 'ready';
  /** How much there is of it at full size. */
  readonly full: number;
  readonly bytes: (amount: number) => Iterable<string>;
  /** The code of the error that ends the stream; null: it lives. */
  readonly ends: string | null;
  /** Whether the attacker reads what the victim says. Default true. */
  readonly reads?: false;
  /** Bytes of each stanza of which the victim outputs `amount` MiB; it is offered to a peer that does not read. */
  readonly offers?: number;
}

/** As many pieces of the same as that, several in one write. */
function* repeated(piece: string, amount: number): Iterable<string> {
  const together = Math.max(1, Math.min(amount, Math.floor(65_536 / piece.length)));
  const many = piece.repeat(together);
  let left = amount;
  for (; left >= together; left -= together) yield many;
  if (left > 0) yield piece.repeat(left);
}

function* numbered(piece: (n: number) => string, amount: number): Iterable<string> {
  for (let n = 0; n < amount;) {
    let text = '';
    for (const end = Math.min(amount, n + 200); n < end; n += 1) text += piece(n);
    yield text;
  }
}

const MIB = 1_048_576;
const TO = "from='a@b' to='comp.broker.test'";
const start = function* (first: string, rest: Iterable<string>): Iterable<string> {
  yield first;
  yield* rest;
};
const ready = (full: number, bytes: Attack['bytes'], ends: string | null = null): Attack => ({
  dialect: 'component',
  at: 'ready',
  full,
  bytes,
  ends,
});
/** A stanza without end: `amount` MiB of it. */
const endless = (first: string, piece: string, ends: string): Attack =>
  ready(16, (amount) => start(first, repeated(piece, (amount * MIB) / piece.length)), ends);
const declarations = Array.from({ length: 10 }, (_, n) => ` xmlns:p${n}='urn:u${n}'`).join('');
const attributes = (count: number) => Array.from({ length: count }, (_, n) => ` a${n}='${n}'`).join('');
const nested = (depth: number) => `${'<a>'.repeat(depth)}${'</a>'.repeat(depth)}`;
const entities = Array.from({ length: 9 }, (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(10)}">`).join('');

export const ATTACKS: Readonly<Record<string, Attack>> = {
  'A-XML-1: billion laughs': ready(1, () => [`<!DOCTYPE l [<!ENTITY l0 "ha">${entities}]><message>&l9;</message>`], 'XML_RESTRICTED'), // prettier-ignore
  'A-XML-6: an instruction without end': endless('<?x ', ' '.repeat(4_096), 'XML_RESTRICTED'),
  'A-XML-8: a reference of a million digits': ready(1, () => [`<m>&#${'0'.repeat(1_000_000)}65;</m>`], 'XML_NOT_WELL_FORMED'), // prettier-ignore
  'A-XML-12: ten thousand attributes': ready(1, () => [`<message${attributes(10_000)}/>`], 'LIMIT_ATTRIBUTES'),
  'A-XML-12: 64 attributes, again and again': ready(50_000, (amount) => repeated(`<message ${TO}${attributes(60)}/>`, amount)), // prettier-ignore
  'A-SIZE-1: a body without end': endless('<message><body>', 'A'.repeat(65_536), 'LIMIT_STANZA_BYTES'),
  'A-SIZE-1: a CDATA section without end': endless('<m><![CDATA[', 'x]'.repeat(5_000), 'LIMIT_STANZA_BYTES'),
  'A-SIZE-1: stanzas of almost a MiB': ready(256, (amount) => repeated(`<message ${TO}><body>${'x'.repeat(1_048_000)}</body></message>`, amount)), // prettier-ignore
  'A-SIZE-2: a name without end': endless('<', 'n'.repeat(4_096), 'LIMIT_NAME_BYTES'),
  'A-SIZE-2: a value without end': endless("<m a='", 'v'.repeat(4_096), 'LIMIT_ATTRIBUTE_VALUE_BYTES'),
  'A-SIZE-2: a header without end': { ...endless("<stream:stream a='", ' '.repeat(4_096), 'LIMIT_HEADER_BYTES'), at: 'header' }, // prettier-ignore
  'A-SIZE-2: features without end': { ...endless('<stream:features>', '<x/>'.repeat(1_000), 'LIMIT_NODES'), dialect: 'client', at: 'features' }, // prettier-ignore
  'A-SIZE-3: a hundred thousand levels': ready(100_000, (amount) => start('<m>', repeated('<a>', amount)), 'LIMIT_DEPTH'), // prettier-ignore
  'A-SIZE-3: as deep as may be, again and again': ready(20_000, (amount) => repeated(`<message ${TO}>${nested(62)}</message>`, amount)), // prettier-ignore
  'A-SIZE-4: a million children': ready(1_000_000, (amount) => start('<m>', repeated('x<a/>', amount)), 'LIMIT_NODES'), // prettier-ignore
  'A-SIZE-4: as many children as may be, again and again': ready(64, (amount) => repeated(`<message ${TO}>${'<a/>'.repeat(49_000)}</message>`, amount)), // prettier-ignore
  'A-SIZE-5: declarations without end': ready(100_000, (amount) => start('<m>', repeated(`<a${declarations}>`, amount)), 'LIMIT_NS'), // prettier-ignore
  'A-SIZE-5: as many declarations as may be': ready(5_000, (amount) => repeated(`<message ${TO}>${`<a${declarations}/>`.repeat(25)}</message>`, amount)), // prettier-ignore
  'A-SLOW-1: white space': ready(1_024, (amount) => repeated(' '.repeat(65_536), amount * 16)),
  'A-NEG-8: a thousand mechanisms': { dialect: 'client', at: 'features', full: 1, ends: 'SASL_NO_ACCEPTABLE_MECHANISM', bytes: () => [`<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${Array.from({ length: 1_000 }, (_, n) => `<mechanism>X-${n}</mechanism>`).join('')}</mechanisms></stream:features>`] }, // prettier-ignore
  'A-NEG-11: challenges without end': { dialect: 'client', at: 'auth', full: 1_000_000, ends: 'SASL_UNEXPECTED', bytes: (amount) => repeated("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", amount) }, // prettier-ignore
  'A-STZ-1: answers from others': ready(250_000, (amount) => numbered((n) => `<iq type='result' id='r${n % 1_000}' from='evil${n % 7}@e' to='comp.broker.test'/>`, amount)), // prettier-ignore
  'A-STZ-2: answers that nobody asked for': ready(250_000, (amount) => numbered((n) => `<iq type='result' id='x${n}' from='bank@d' to='comp.broker.test'/>`, amount)), // prettier-ignore
  'A-STZ-5: errors': ready(250_000, (amount) => repeated(`<message type='error' ${TO}><error type='cancel'/></message>`, amount)), // prettier-ignore
  'A-STZ-9: text for filters that search all of it': ready(64, (amount) => repeated(`<message ${TO}>${'<a><b>xxxxxxxxxx</b></a>'.repeat(15_000)}</message>`, amount)), // prettier-ignore
  'A-FLOW-2: a hundred thousand messages': ready(100_000, (amount) => repeated(`<message ${TO}><body>x</body></message>`, amount)), // prettier-ignore
  'A-FLOW-2: each with a name of its own': ready(250_000, (amount) => numbered((n) => `<message ${TO}><n${n} xmlns='urn:${n}' a${n}=''/></message>`, amount)), // prettier-ignore
  'A-FLOW-2: questions': ready(100_000, (amount) => numbered((n) => `<iq type='get' id='${n}' ${TO}><q xmlns='urn:x'/></iq>`, amount)), // prettier-ignore
  'A-FLOW-1: questions whose answers are not read': { ...ready(100_000, (amount) => numbered((n) => `<iq type='get' id='${n}' ${TO}><q xmlns='urn:x'/></iq>`, amount)), reads: false }, // prettier-ignore
  'A-FLOW-1: never reads, 4 KiB each': { ...ready(256, () => []), reads: false, offers: 4_096 },
  'A-FLOW-1: never reads, the smallest': { ...ready(64, () => []), reads: false, offers: 32 },
};
