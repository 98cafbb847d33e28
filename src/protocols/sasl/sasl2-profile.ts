// SASL2 on the wire: XEP-0388.
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { SaslProfile } from './profile.js';

/** SASL2. `wanted` is what else is asked for with the sign-in (XEP-0388 §2.3), in order, behind the initial response. */
export function sasl2(wanted: readonly Element[]): SaslProfile {
  return {
    name: 'sasl2',
    begin(mechanism, initial) {
      // Empty is not the same as none (§2.2).
      const response = initial === null ? null : xml('initial-response', {}, initial.toString('base64'));
      return xml('authenticate', { xmlns: NS.SASL2, mechanism }, response, [...wanted]);
    },
    response: (data) => xml('response', { xmlns: NS.SASL2 }, data.toString('base64')),
    abort: () => xml('abort', { xmlns: NS.SASL2 }),
    read(element) {
      if (element.namespaceURI !== NS.SASL2) return null;
      switch (element.localName) {
        case 'challenge':
          return { type: 'challenge', data: element };
        case 'success':
          return { type: 'success', data: element.getChild('additional-data', NS.SASL2) };
        case 'failure':
          return { type: 'failure' };
        case 'continue':
          return { type: 'continue', tasks: tasksOf(element) };
        default:
          return null;
      }
    },
  };
}

function tasksOf(element: Element): string[] {
  const tasks = element.getChild('tasks', NS.SASL2)?.getChildren('task', NS.SASL2) ?? [];
  return tasks.map((task) => task.textContent);
}
