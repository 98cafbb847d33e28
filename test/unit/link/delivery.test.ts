import { describe, expect, it, vi } from 'vitest';
import { parse } from 'xmpp-broker';
import type { Acknowledgements } from '../../../src/link/acknowledgements.js';
import { Delivery, Undelivered, type Delivered } from '../../../src/link/delivery.js';
import type { Intake } from '../../../src/link/intake.js';
import { ManagedSession } from '../../../src/protocols/features/managed-session.js';

const STANZA = parse("<message xmlns='jabber:client'/>");

/** What is delivered by parts, of which each says what becomes of it. */
function delivery(parts: Delivered[], intake: Intake | null = null) {
  const session = new ManagedSession('a@b/c', { id: 's' });
  const router = { deliver: (): Delivered => parts.shift() ?? null };
  const acks = { session } as unknown as Acknowledgements;
  return { session, made: new Delivery({ router, acks, intake }), bare: new Delivery({ router, acks: null, intake }) };
}

describe('a stanza that takes several turns', () => {
  it('is being delivered until its last part is, and counts then', () => {
    let left = 2;
    const more = (): Delivered => (left-- > 0 ? new Undelivered(more) : null);
    const { session, made } = delivery([new Undelivered(more)]);
    expect(made.deliver(STANZA, true)).toBe(true);
    expect([made.delivers(STANZA), made.placeOf(STANZA), session.handled]).toEqual([
      true,
      expect.objectContaining({ session: 's', ordinal: 1 }),
      0,
    ]);
    expect([made.goOn(), made.goOn()]).toEqual([true, true]);
    expect([made.delivers(STANZA), session.handled]).toEqual([true, 0]);
    expect(made.goOn()).toBe(false);
    expect([made.delivers(STANZA), made.placeOf(STANZA), session.handled]).toEqual([false, null, 1]);
  });

  it('is none where nothing is left', () => {
    const { session, made } = delivery([null]);
    expect(made.goOn()).toBe(false);
    expect(made.deliver(STANZA, true)).toBe(false);
    expect(made.goOn()).toBe(false);
    expect(session.handled).toBe(1);
  });
});

describe('what is delivered', () => {
  it('counts where stream management counts it, a stanza that the element brought or not', () => {
    const { session, made, bare } = delivery([]);
    made.deliver(STANZA, false);
    expect(session.handled).toBe(0);
    made.deliver(undefined, true);
    expect(session.handled).toBe(1);
    bare.deliver(STANZA, true);
    expect([session.handled, bare.placeOf(STANZA)]).toEqual([1, null]);
  });

  it('has no place where it is not counted, and another one behind what is not handled yet', () => {
    const take = vi.fn();
    const intake = { take, counting: 2 } as unknown as Intake;
    const handling = Promise.resolve();
    const { made } = delivery([new Undelivered(() => handling), new Undelivered(() => null)], intake);
    made.deliver(STANZA, true);
    expect(made.placeOf(STANZA)).toMatchObject({ session: 's', ordinal: 3 });
    expect(made.placeOf(parse('<other/>'))).toBeNull();
    made.goOn();
    expect(take).toHaveBeenCalledExactlyOnceWith(handling, true);
    made.deliver(STANZA, false);
    expect(made.placeOf(STANZA)).toBeNull();
  });
});
