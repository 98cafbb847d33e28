import type { JSX } from 'preact';

interface XPathFieldsProps {
  /** How the fields lie in their form. */
  readonly layout: 'wide' | 'column';
  readonly labels: { readonly xpath: string; readonly prefixes: string };
  /** An expression, to show what is meant. */
  readonly example: string;
  readonly xpath: string;
  readonly setXPath: (xpath: string) => void;
  readonly prefixes: string;
  readonly setPrefixes: (prefixes: string) => void;
}

/** Where an expression is typed, and what its prefixes mean. */
export function XPathFields(props: XPathFieldsProps): JSX.Element {
  const { layout, labels, example, xpath, setXPath, prefixes, setPrefixes } = props;
  return (
    <>
      <label class={`field ${layout}`}>
        <span>{labels.xpath}</span>
        <input
          value={xpath}
          spellcheck={false}
          autocapitalize="off"
          placeholder={example}
          onInput={({ currentTarget }) => setXPath(currentTarget.value)}
        />
      </label>
      <label class={`field ${layout}`}>
        <span>{labels.prefixes}</span>
        <input
          value={prefixes}
          spellcheck={false}
          autocapitalize="off"
          placeholder="d=http://jabber.org/protocol/disco#info"
          onInput={({ currentTarget }) => setPrefixes(currentTarget.value)}
        />
      </label>
    </>
  );
}
