import { BrokerError } from '../../errors.js';
import { ACCOUNT, accountOf } from '../account.js';
import type { Command, Given, Terminal } from '../command.js';
import { problemOf, type Problem } from '../doctor/advice.js';
import { examine } from '../doctor/examine.js';
import { tellFeatures } from '../doctor/findings.js';
import { findPlaces, type Place } from '../doctor/places.js';
import { planOf, timeoutsOf, type Plan } from '../doctor/plan.js';
import { Report } from '../doctor/report.js';
import { signIn } from '../doctor/sign-in.js';
import { endpoint } from '../../dial/host-name.js';

/** Every step of getting connected, explained. */
export const doctor: Command = {
  name: 'doctor',
  summary: 'tells how a domain is connected to, step by step, and what is in the way',
  operands: 'DOMAIN',
  count: [1, 1],
  details: [
    'It looks up the domain, tries every address, does TLS, and reads what the server offers. Nothing secret is sent.',
    'With --jid it signs in, too; with --component and --router, DOMAIN being the name, if there is a secret.',
    'Exit codes: 0 all is well, 1 something is in the way.',
  ],
  options: {
    ...ACCOUNT,
    websocket: { value: 'URL', help: 'looks at a WebSocket; discover: the one that the domain names' },
    timeout: { value: 'SECONDS', help: 'how long to wait in each step; default 10' },
  },
  async run(given, terminal) {
    const plan = await planOf(given);
    const report = new Report(given.has('json'), terminal);
    const { places, problems } = await found(plan, report, terminal.signal);
    const looks: Problem[][] = [];
    for (const place of places) looks.push(await examine(plan, place, report, terminal.signal));
    const works = looks.some((list) => list.length === 0);
    const signing = works ? await signingIn(plan, { given, terminal, report }) : null;
    return verdict(report, plan, { problems: [...problems, ...looks.flat()], works, signing });
  },
};

/** A WebSocket's URL says where it is. */
async function found(
  plan: Plan,
  report: Report,
  signal: AbortSignal,
): Promise<{ places: readonly (Place | null)[]; problems: readonly Problem[] }> {
  return plan.websocket === undefined ? findPlaces(plan, report, { signal }) : { places: [null], problems: [] };
}

/** @returns what is in the way; null when it was not tried */
async function signingIn(
  plan: Plan,
  { given, terminal, report }: { given: Given; terminal: Terminal; report: Report },
): Promise<Problem[] | null> {
  const { kind, domain, port, websocket } = plan;
  const jid = given.text('jid') ?? domain;
  report.title(given.text('jid') === undefined && kind === 'client' ? 'Signing in' : `Signing in as ${jid}`);
  const hasSecret = given.text('password-file') !== undefined || (terminal.env['XMPP_PASSWORD'] ?? '') !== '';
  if (given.text('jid') === undefined && (kind === 'client' || !(hasSecret || terminal.ask !== null))) {
    const missing = kind === 'client' ? '--jid' : 'secret (XMPP_PASSWORD, --password-file)';
    report.line('info', `not tried: there is no ${missing}`, { step: 'sign-in', skipped: true });
    return null;
  }
  // What doctor takes for granted, an account has to be told.
  const known = new Map([
    ['jid', jid],
    ['port', port === undefined ? undefined : String(port)],
  ]);
  const text = (name: string): string | undefined => known.get(name) ?? given.text(name);
  const account = await accountOf({ ...given, text }, terminal);
  try {
    const signedIn = await signIn(
      {
        ...account,
        ...(websocket === undefined ? {} : { websocket }),
        timeouts: timeoutsOf(plan),
      },
      terminal.signal,
    );
    const { features, mechanism, profile, management, pingMs, ms, jid: own } = signedIn;
    report.line(
      'ok',
      `signed in as ${own} with ${mechanism ?? 'nothing'}${profile === null ? '' : ` by ${profile.toUpperCase()}`}`,
      {
        step: 'sign-in',
        jid: own,
        mechanism,
        profile,
        management,
        ms,
      },
    );
    if (kind === 'client') report.line('info', `stream management is ${management}`, null);
    if (features !== null) tellFeatures(report, features, 'features-behind');
    if (pingMs !== null) report.line('ok', 'the server answers', { step: 'ping', ms: pingMs });
    return [];
  } catch (error) {
    if (!(error instanceof BrokerError) || terminal.signal.aborted) throw error;
    report.line('fail', error.message, { step: 'sign-in', error: error.code, condition: error.condition });
    return [problemOf(error)];
  }
}

interface Outcome {
  readonly problems: readonly Problem[];
  /** Whether one place at least has all that is needed. */
  readonly works: boolean;
  /** What is in the way of signing in; null when it was not tried. */
  readonly signing: readonly Problem[] | null;
}

/** The end of it. What is wrong with one of several ways is a warning where another works. */
function verdict(report: Report, { domain, host, port }: Plan, { problems, works, signing }: Outcome): number {
  report.title('Verdict');
  const found = [...problems, ...(signing ?? [])];
  const once = found.filter((one, place) => found.findIndex(({ said }) => said === one.said) === place);
  const ok = works && (signing === null || signing.length === 0);
  const mark = !ok ? 'fail' : once.length > 0 ? 'warn' : 'ok';
  const where = host === undefined ? '' : ` at ${endpoint(host, port ?? 0)}`;
  report.line(mark, `${domain}${where} ${outcomeText({ problems, works, signing })}`, {
    step: 'verdict',
    works: ok,
    signedIn: signing === null ? null : signing.length === 0,
    problems: once,
  });
  for (const { what, code, side, change } of once) {
    report.line(mark, `${what} (${code})`, null);
    report.line('info', `  change, ${sideText(side)}: ${change}`, null);
  }
  return ok ? 0 : 1;
}

function outcomeText({ problems, works, signing }: Outcome): string {
  if (!works) return 'cannot be connected to';
  if (signing !== null && signing.length > 0) return 'can be connected to, but not signed in to';
  const ways = problems.length === 0 ? '' : ', though not in every way';
  return `can be connected to${ways}${signing === null ? '; signing in was not tried' : ', and signed in to'}`;
}

function sideText(side: Problem['side']): string {
  return side === 'here' ? 'on this side' : `on the side of: ${side}`;
}
