// Forms as services write and read them: XEP-0004.
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';

/** One field of a form: its name, its type, and what stands in it. */
export type FormField = readonly [name: string, type: string, value: string | boolean, options?: readonly string[]];

/** A form, or a result. */
export function dataForm(type: 'form' | 'result', formType: string, fields: readonly FormField[]): Element {
  return xml(
    'x',
    { xmlns: NS.DATA_FORMS, type },
    xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, formType)),
    fields.map(([name, kind, value, options = []]) =>
      xml(
        'field',
        { var: name, type: kind },
        options.map((option) => xml('option', {}, xml('value', {}, option))),
        xml('value', {}, typeof value === 'boolean' ? (value ? '1' : '0') : value),
      ),
    ),
  );
}

/** What was filled in, by name of the field; of several values the first. */
export function submitted(form: Element): ReadonlyMap<string, string> {
  const fields = form.getChildren('field').map((field) => {
    return [field.getAttribute('var') ?? '', field.getChildText('value') ?? ''] as const;
  });
  return new Map(fields);
}

/** A boolean of a form (XEP-0004 §3.3). */
export function isTrue(value: string): boolean {
  return value === '1' || value === 'true';
}
