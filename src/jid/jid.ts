// XMPP addresses: RFC 7622, with the PRECIS profiles of RFC 8265; escaping of local parts: XEP-0106.
import { inspect } from 'node:util';
import { isA, kindOf } from '../arguments/values.js';
import { printable, usageError, type BrokerError } from '../errors.js';
import { isRightToLeft, obeysBidiRule } from './bidi.js';
import { comparableDomain, isPlainDomain, prepareDomain } from './domain.js';
import { firstProblem, mapWidth, nameOf, stabilize, type Problem } from './precis.js';
import { nodeprep, resourceprep } from './stringprep.js';

/** Longest part in bytes of UTF-8 (RFC 7622 §3.2, §3.3, §3.4). */
const PART_LIMIT = 1023;
/** No longer input can shrink to an allowed part: normalization makes at most three code units into one. */
const INPUT_LIMIT = 3 * PART_LIMIT;

// Parts that preparation leaves as they are: the great majority, recognized without further ado.
const PLAIN_LOCAL = /^[!#-%(-.0-9;=?[-~]{1,1023}$/;
const PLAIN_RESOURCE = /^[ -~]{1,1023}$/;

/** RFC 7622 §3.3.1 */
const EXCLUDED_FROM_LOCAL = /["&'/:<>@]/;

type Part = 'local part' | 'domain' | 'resource';

/**
 * An XMPP address, `local@domain/resource` (RFC 7622). Immutable; the parts are prepared, so two addresses are the
 * same when their texts are.
 *
 * - The local part follows the profile UsernameCaseMapped, the resource OpaqueString (RFC 8265), the domain IDNA2008
 *   with U-labels, or is an IP literal.
 * - The classes of characters are those of the Unicode version of the runtime. Joining types, virama signs and the
 *   exceptions of the bidi rule are those of Unicode 14.0.
 * - A resource may begin or end with a space: the profile allows it, although an example of RFC 7622 §3.5 does not.
 * - An underscore in a domain is tolerated.
 */
export class JID {
  /** The part before the `@`, or null. */
  readonly local: string | null;
  /** Domain name with U-labels, or IP literal. */
  readonly domain: string;
  /** The part behind the first `/`, or null. */
  readonly resource: string | null;
  readonly #text: string;

  /**
   * @param local Local part as the wire has it; use {@link JID.escape} for a name with characters that it may not hold.
   * @throws BrokerError `USAGE_JID` when a part is not allowed; the message names the part and the character.
   */
  constructor(local: string | null, domain: string, resource: string | null = null) {
    if (typeof domain !== 'string') throw notText('domain', domain);
    const text = join(given('local part', local), domain, given('resource', resource));
    this.local = typeof local === 'string' ? prepare('local part', local, text) : null;
    this.domain = prepare('domain', domain, text);
    this.resource = typeof resource === 'string' ? prepare('resource', resource, text) : null;
    this.#text = join(this.local, this.domain, this.resource);
  }

  /**
   * Reads an address: the resource begins behind the first `/`, the domain behind the first `@` before it (RFC 7622 §3.1).
   *
   * @throws BrokerError `USAGE_JID`
   */
  static parse(text: string): JID {
    if (typeof text !== 'string') throw usageError('USAGE_JID', `a JID is given as a string, not as ${kindOf(text)}`);
    const [local, domain, resource] = split(text);
    return new JID(local, domain, resource);
  }

  /**
   * Whether two addresses mean the same entity to any server: equal when prepared by RFC 7622, or in what the older
   * rules of RFC 6122 make of them (`straße@` is `strasse@` there). Domains are compared as the names that are looked up
   * for them: `straße.example` is not `strasse.example`. Text that is no address by either rule is equivalent to
   * nothing, itself included; nothing is thrown.
   */
  static equivalent(a: JID | string | null | undefined, b: JID | string | null | undefined): boolean {
    const left = partsOf(a);
    const right = partsOf(b);
    return (
      left !== null &&
      right !== null &&
      sameDomain(left[1], right[1]) &&
      samePart('local part', left[0], right[0]) &&
      samePart('resource', left[2], right[2])
    );
  }

  /**
   * Writes a name so that it may be a local part (XEP-0106 §3): `d'artagnan` becomes `d\27artagnan`. A backslash is escaped only where it would otherwise begin an escape.
   *
   * @throws BrokerError `USAGE_JID` for an empty name, or a space at either end (XEP-0106 §3.2)
   */
  static escape(name: string): string {
    if (typeof name !== 'string') throw usageError('USAGE_JID', `a name is given as a string, not as ${kindOf(name)}`);
    if (name === '' || name.startsWith(' ') || name.endsWith(' ')) {
      throw usageError('USAGE_JID', 'a name to escape may not be empty, nor begin or end with a space: trim it first');
    }
    return name.replace(/[ "&'/:<>@]|\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)/gi, escapeOf);
  }

  /** The name that {@link JID.escape} was given. `\20` at either end and unknown escapes stay as they are. */
  static unescape(local: string): string {
    if (typeof local !== 'string') {
      throw usageError('USAGE_JID', `a local part is given as a string, not as ${kindOf(local)}`);
    }
    return local.replace(/\\(20|22|26|27|2f|3a|3c|3e|40|5c)/gi, (sequence: string, code: string, offset: number) => {
      const atEnd = offset === 0 || offset + sequence.length === local.length;
      return code === '20' && atEnd ? sequence : String.fromCharCode(parseInt(code, 16));
    });
  }

  /** The address without its resource; this object itself when it has none. */
  bare(): JID {
    return this.resource === null ? this : new JID(this.local, this.domain);
  }

  /** @throws BrokerError `USAGE_JID` when the resource is not allowed */
  withResource(resource: string | null): JID {
    return new JID(this.local, this.domain, resource);
  }

  /** Whether all parts are equal after preparation. A string that is no address equals nothing. */
  equals(other: JID | string | null | undefined): boolean {
    if (isA(other, JID)) return this.#text === other.#text;
    if (typeof other !== 'string') return false;
    return other === this.#text || canonical(other) === this.#text;
  }

  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.#text;
  }

  [inspect.custom](): string {
    return `JID(${printable(this.#text)})`;
  }
}

/** Local part, domain and resource as written; splitting cannot fail. */
type Parts = readonly [local: string | null, domain: string, resource: string | null];

/** Refuses what is no string before anything is made of it. */
function given(part: Part, value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return null;
  throw notText(part, value);
}

function notText(part: Part, value: unknown): BrokerError {
  return usageError('USAGE_JID', `the ${part} of a JID is given as a string, not as ${kindOf(value)}`);
}

function split(text: string): Parts {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const at = address.indexOf('@');
  return [
    at < 0 ? null : address.slice(0, at),
    at < 0 ? address : address.slice(at + 1),
    slash < 0 ? null : text.slice(slash + 1),
  ];
}

function join(local: string | null, domain: string, resource: string | null): string {
  return (local === null ? '' : `${local}@`) + domain + (resource === null ? '' : `/${resource}`);
}

/** The prepared text of an address, or null for text that is none. */
function canonical(text: string): string | null {
  const [local, domain, resource] = split(text);
  const preparedLocal = local === null ? null : enforce('local part', local);
  const preparedDomain = enforce('domain', domain);
  const preparedResource = resource === null ? null : enforce('resource', resource);
  if (typeof preparedDomain !== 'string' || isProblem(preparedLocal) || isProblem(preparedResource)) return null;
  return join(preparedLocal, preparedDomain, preparedResource);
}

function isProblem(prepared: string | Problem | null): prepared is Problem {
  return prepared !== null && typeof prepared !== 'string';
}

function partsOf(address: unknown): Parts | null {
  if (isA(address, JID)) return [address.local, address.domain, address.resource];
  return typeof address === 'string' ? split(address) : null;
}

function sameDomain(a: string, b: string): boolean {
  if (isPlain('domain', a) && a === b) return true;
  if (a.length > INPUT_LIMIT || b.length > INPUT_LIMIT) return false;
  const name = comparableDomain(a);
  return name !== null && name === comparableDomain(b);
}

function samePart(part: 'local part' | 'resource', a: string | null, b: string | null): boolean {
  if (a === null || b === null) return a === b;
  const prepared = preparedOrNull(part, a);
  if (prepared !== null && (a === b || prepared === preparedOrNull(part, b))) return true;
  if (a.length > INPUT_LIMIT || b.length > INPUT_LIMIT) return false;
  const older = part === 'resource' ? resourceprep : nodeprep;
  const mapped = older(a);
  return mapped !== null && mapped === older(b);
}

/** The part as RFC 7622 has it, or an error that says where it is wrong. */
function prepare(part: Part, text: string, whole: string): string {
  const prepared = enforce(part, text);
  if (typeof prepared === 'string') return prepared;
  throw usageError(
    'USAGE_JID',
    `"${printable(whole, 80)}" is not a JID: its ${part} is wrong at character ${prepared.offset + 1}: ${prepared.reason}`,
    { offset: prepared.offset },
  );
}

function preparedOrNull(part: Part, text: string): string | null {
  const prepared = enforce(part, text);
  return typeof prepared === 'string' ? prepared : null;
}

function enforce(part: Part, text: string): string | Problem {
  if (isPlain(part, text)) return text;
  if (text === '') return { offset: 0, reason: 'it is empty' };
  if (text.length > INPUT_LIMIT) return tooLong(text);
  const prepared =
    part === 'domain' ? prepareDomain(text) : part === 'resource' ? enforceResource(text) : enforceLocal(text);
  return typeof prepared === 'string' && Buffer.byteLength(prepared) > PART_LIMIT ? tooLong(prepared) : prepared;
}

function isPlain(part: Part, text: string): boolean {
  if (part === 'domain') return isPlainDomain(text);
  return part === 'resource' ? PLAIN_RESOURCE.test(text) : PLAIN_LOCAL.test(text);
}

function tooLong(text: string): Problem {
  return { offset: PART_LIMIT, reason: `it is ${Buffer.byteLength(text)} bytes long, ${PART_LIMIT} are allowed` };
}

/** UsernameCaseMapped (RFC 8265 §3.3) without the characters of RFC 7622 §3.3.1. */
function enforceLocal(text: string): string | Problem {
  const mapped = mapWidth(text);
  const problem = firstProblem(mapped, 'identifier') ?? excludedFrom(mapped);
  if (problem !== null) return problem;
  const prepared = stabilize(mapped, (current) => current.toLowerCase().normalize('NFC'));
  if (prepared === null) return { offset: 0, reason: 'it has no stable form in lower case' };
  if (isRightToLeft(prepared) && !obeysBidiRule(prepared)) {
    return { offset: 0, reason: 'it mixes writing directions in a way that RFC 5893 forbids' };
  }
  return firstProblem(prepared, 'identifier') ?? prepared;
}

function excludedFrom(local: string): Problem | null {
  const offset = local.search(EXCLUDED_FROM_LOCAL);
  if (offset < 0) return null;
  return { offset, reason: `${nameOf(local.charAt(offset))} is not allowed there, JID.escape() helps` };
}

/** OpaqueString (RFC 8265 §4.2). */
function enforceResource(text: string): string | Problem {
  const problem = firstProblem(text, 'freeform');
  if (problem !== null) return problem;
  const prepared = text.replace(/\p{Zs}/gu, ' ').normalize('NFC');
  return firstProblem(prepared, 'freeform') ?? prepared;
}

function escapeOf(character: string): string {
  return `\\${character.charCodeAt(0).toString(16)}`;
}
