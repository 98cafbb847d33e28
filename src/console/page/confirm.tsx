import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

interface ConfirmProps {
  readonly title: string;
  readonly text: string;
  /** What the button says that does it. */
  readonly yes: string;
  readonly isDangerous: boolean;
  readonly done: (yes: boolean) => void;
}

/** Asks again before something happens. */
export function Confirm({ title, text, yes, isDangerous, done }: ConfirmProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const { current } = dialog;
    const before = document.activeElement;
    current?.showModal();
    return () => {
      current?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="confirm-title"
      aria-describedby="confirm-text"
      onCancel={(event) => {
        event.preventDefault();
        done(false);
      }}
    >
      <h2 id="confirm-title">{title}</h2>
      <p id="confirm-text">{text}</p>
      <div class="buttons">
        <button type="button" autofocus onClick={() => done(false)}>
          Cancel
        </button>
        <button type="button" class={isDangerous ? 'danger' : 'primary'} onClick={() => done(true)}>
          {yes}
        </button>
      </div>
    </dialog>
  );
}
