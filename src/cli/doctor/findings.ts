// What is said of a server that was looked at.
import { BrokerError } from '../../errors.js';
import { readLimits } from '../../protocols/features/stream-limits.js';
import { readOffer, readSasl2Offer } from '../../protocols/sasl/offer.js';
import type { Element } from '../../xml/element.js';
import { chainOf } from './certificate.js';
import { featureName, type Look, type Seen } from './look.js';
import type { Report } from './report.js';

/** Days before its end from which a certificate is warned of. */
const SOON_DAYS = 14;

/** Tells everything that was seen. `trusted` is why the certificate is not, or null. */
export function tellSeen(report: Report, { seen }: Look, trusted: BrokerError | null): void {
  if (seen.header !== null) {
    const { from, version, id } = seen.header;
    const text = `the stream is from ${from ?? 'nobody'}, version ${version ?? 'none'}, id ${id ?? 'none'}`;
    report.line('ok', text, { step: 'stream', from, version, id });
  }
  if (seen.starttls !== null) {
    report.line(seen.starttls === 'absent' ? 'warn' : 'ok', `STARTTLS is ${seen.starttls}`, {
      step: 'starttls',
      offer: seen.starttls,
    });
  }
  tellTls(report, seen, trusted);
  if (seen.features !== null) {
    tellOffer(report, seen.features);
    tellChoice(report, seen);
    tellFeatures(report, seen.features, 'features');
  }
  if (seen.times.length > 0) {
    const { times } = seen;
    report.line('info', `times: ${times.map(({ step, ms }) => `${step} ${ms.toFixed(1)} ms`).join(', ')}`, {
      step: 'times',
      times,
    });
  }
}

function tellTls(report: Report, { tls }: Seen, refusal: BrokerError | null): void {
  if (tls === null) return;
  const { version, cipher, alpn, verifiedBy } = tls.facts;
  const alpnText = alpn === null ? '' : `, ALPN ${alpn}`;
  report.line('ok', `${version}, ${cipher}${alpnText}`, { step: 'tls', version, cipher, alpn });
  for (const [place, one] of chainOf(tls.certificate).entries()) {
    report.line('info', `certificate ${place + 1}: ${one.subject}; from ${one.issuer}`, {
      step: 'certificate',
      place: place + 1,
      ...one,
    });
    if (place === 0) report.line('info', `  names: ${one.names.join(', ') || 'none'}`, null);
    const left = one.daysLeft === null ? '' : one.daysLeft < 0 ? ', over' : `, ${one.daysLeft} days left`;
    const soon = place === 0 && one.daysLeft !== null && one.daysLeft < SOON_DAYS;
    report.line(soon ? 'warn' : 'info', `  valid from ${one.from} to ${one.to}${left}`, null);
    report.line('info', `  pin: ${one.pin ?? 'its key cannot be read'}`, null);
  }
  if (refusal !== null) {
    report.line('fail', `not trusted: ${refusal.message}`, { step: 'trust', error: refusal.code });
  } else {
    report.line('ok', `trusted by ${verifiedBy}`, { step: 'trust', verifiedBy });
  }
}

function tellOffer(report: Report, features: Element): void {
  for (const [profile, offer] of [
    ['SASL', readOffer(features)],
    ['SASL2', readSasl2Offer(features)],
  ] as const) {
    if (offer === null) continue;
    const mechanisms = [...offer.mechanisms];
    report.line('ok', `${profile} offers ${mechanisms.join(', ') || 'nothing'}`, {
      step: 'mechanisms',
      profile,
      mechanisms,
      bindings: offer.bindings,
    });
    if (profile !== 'SASL' && readOffer(features) !== null) continue;
    const types = offer.bindings === null ? 'none are listed' : offer.bindings.join(', ');
    report.line('info', `channel bindings: ${types}`, null);
  }
}

function tellChoice(report: Report, { choice }: Seen): void {
  if (choice === null) return;
  if (choice instanceof BrokerError) {
    report.line('fail', choice.message, { step: 'choice', error: choice.code });
    return;
  }
  const { mechanism, profile, binding, showsPassword } = choice;
  const text = `a program uses ${mechanism} by ${profile.toUpperCase()}, ${binding === null ? 'without channel binding' : `bound by ${binding}`}`;
  const shows = showsPassword ? '; the server gets to see the password' : '';
  report.line(showsPassword ? 'warn' : 'ok', text + shows, { step: 'choice', ...choice });
}

/** Names of the features, and the limits among them. */
export function tellFeatures(report: Report, features: Element, step: string): void {
  const names = features.children.map(featureName);
  report.line('info', `features: ${names.join(', ') || 'none'}`, { step, features: names });
  const { maxBytes, idleSeconds } = readLimits(features);
  if (maxBytes === null && idleSeconds === null) return;
  const bytes = maxBytes === null ? 'any size' : `${maxBytes} bytes`;
  const idle = idleSeconds === null ? '' : `, ends a link that is idle for ${idleSeconds} s`;
  report.line('info', `it takes stanzas of ${bytes}${idle}`, { step: 'limits', maxBytes, idleSeconds });
}
