// What is not read by the tokenizer: expressions, addresses, messages of a sign-in. Each gives what is done with so much of it.
import { JID, parse } from 'xmpp-broker';
import { FilterSet } from '../../../src/filters/filter-set.js';
import { readServerFinal, readServerFirst } from '../../../src/protocols/sasl/scram-message.js';

const LIMITS = { stanzaBytes: Infinity, nodes: Infinity, depth: Infinity, attributes: Infinity };
const nothing = () => undefined;

/** Evaluates an expression on a stanza with so many elements, without and with the index. */
const filter =
  (expression: string, content: string, depth = false) =>
  (amount: number): (() => void) => {
    const inside = depth ? `${'<a>'.repeat(amount)}x${'</a>'.repeat(amount)}` : content.repeat(amount);
    const stanza = parse(`<message>${inside}</message>`, LIMITS);
    const sets = [true, false].map((index) => new FilterSet({ index, visits: Infinity, strikes: Infinity }));
    for (const set of sets) set.add('e', expression);
    return () => {
      for (const set of sets) {
        set.match(stanza, nothing, (_, error) => {
          throw error;
        });
      }
    };
  };

/** Finds the few of so many filters that a stanza may match. */
const filters = (expression: (n: number) => string) => (amount: number) => () => {
  const set = new FilterSet();
  for (let n = 0; n < amount; n += 1) set.add('e', expression(n));
  const stanza = parse("<message><body>x 1</body><a b='1'/></message>");
  for (let times = 0; times < amount / 10; times += 1) set.match(stanza, nothing, nothing);
};

const jids = (of: (length: number) => string) => (amount: number) => {
  const text = of(amount);
  return () => {
    for (let times = 0; times < 400; times += 1) JID.parse(`${text}${times % 10}`);
  };
};

const nonce = 'n'.repeat(24);
const ITERATIONS = { min: 1, max: 1e9 };

/** What is done with so much of it, and how much is much. */
export const OTHERS: Readonly<Record<string, readonly [(amount: number) => () => void, number]>> = {
  'filter //a': [filter('//a', '<a/>'), 20_000],
  'filter //a//b': [filter('//a//b', '<a><b/></a>'), 10_000],
  'filter //a//a, levels': [filter('//a//a', '', true), 10_000],
  'filter //*[.//b]': [filter('//*[b]', '<a><b/></a>'), 10_000],
  'filter of texts': [filter('//a[. = "y"]', '<a>xxxxxxxxxx</a>'), 10_000],
  'filter of parts of texts': [filter('//a[contains(., "y")]', '<a>xx<b>xxxxxxxx</b></a>'), 20_000],
  'filter of the whole text': [filter('contains(., "y")', '<a>xxxxxxxxxx</a>'), 10_000],
  'filter of a count': [filter('count(//a) > 3', '<a/>'), 20_000],
  'filter of a union': [filter('//a | //b | //*', '<a/><b/>'), 10_000],
  'filter of attributes': [filter('//@b = "2"', '<a b="1"/>'), 10_000],
  'filters of names': [filters((n) => `//a${n}`), 4_000],
  'filters of attributes': [filters((n) => `//a[@b = "${n}"]`), 4_000],
  'filters of texts': [filters((n) => `//body[contains(., "x ${n}")]`), 4_000],
  'address, local part': [jids((length) => `${'a'.repeat(length)}@b/`), 500],
  'address, local part with wide characters': [jids((length) => `${'é'.repeat(length / 2)}@b/`), 500],
  'address, domain': [jids((length) => `a@${'b'.repeat(50)}${'.b'.repeat(length / 4)}/`), 400],
  'address, resource': [jids((length) => `a@b/${'r'.repeat(length)}`), 500],
  'first message of SCRAM, nonce': [(amount) => {
    const data = Buffer.from(`r=${nonce}${'x'.repeat(amount)},s=QUJD,i=4096`);
    return () => repeat(50, () => readServerFirst(data, nonce, ITERATIONS));
  }, 450], // prettier-ignore
  'first message of SCRAM, extension': [(amount) => {
    const data = Buffer.from(`r=${nonce}x,s=QUJD,i=4096,x=${'y'.repeat(amount)}`);
    return () => repeat(50, () => readServerFirst(data, nonce, ITERATIONS));
  }, 400_000], // prettier-ignore
  'last message of SCRAM': [(amount) => {
    const data = Buffer.from(`v=${'QUJD'.repeat(amount)}`);
    return () => repeat(50, () => readServerFinal(data));
  }, 100_000], // prettier-ignore
};

function repeat(times: number, work: () => unknown): void {
  for (let left = times; left > 0; left -= 1) work();
}
