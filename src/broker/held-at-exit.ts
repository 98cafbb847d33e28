// What the end of the process takes with it: stanzas that are held in memory, and that nobody told of.

/** Somebody who may hold stanzas until then. */
export interface HeldAtExit {
  /** Tells what is held, if anything is and it was not told before. */
  tellAtExit(): void;
}

/** Those that have held something; who is gone by then had nothing to tell. */
const holders = new Set<WeakRef<HeldAtExit>>();
const gone = new FinalizationRegistry<WeakRef<HeldAtExit>>((holder) => holders.delete(holder));
let isListening = false;

/** Lets somebody tell at the end of the process what he holds. One listener does for all. */
export function remindAtExit(holder: HeldAtExit): void {
  const reference = new WeakRef(holder);
  holders.add(reference);
  gone.register(holder, reference);
  if (isListening) return;
  isListening = true;
  process.once('exit', tellAll);
}

/** The process is about to end. */
export function tellAll(): void {
  for (const holder of holders) holder.deref()?.tellAtExit();
  holders.clear();
}
