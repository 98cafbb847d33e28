import type { Broker } from '../broker/broker.js';
import type { RequestOptions } from '../broker/requester.js';
import { BrokerError } from '../errors.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';

/**
 * Unlocks a room that we have just made, or destroys it: XEP-0045 §10.1.
 * @throws what the function throws, and as `Broker.request`; the room is destroyed then
 */
export async function configure(
  broker: Broker,
  room: string,
  create: boolean | ((form: Element) => Element | Promise<Element>),
  options: RequestOptions,
): Promise<void> {
  const owner = (type: 'get' | 'set', ...children: Element[]) =>
    xml('iq', { type, to: room }, xml('query', { xmlns: NS.MUC_OWNER }, children));
  try {
    if (create === false) {
      throw new BrokerError('MUC_NOT_CREATED', `the room ${room} does not exist, and create is false`, {
        layer: 'stanza',
      });
    }
    const form =
      create === true
        ? xml('x', { xmlns: NS.DATA_FORMS, type: 'submit' })
        : await create(formIn(await broker.request(owner('get'), options)));
    await broker.request(owner('set', form), options);
  } catch (error) {
    // Nobody else can use a locked room.
    await broker.request(owner('set', xml('destroy')), options).catch(() => undefined);
    throw error;
  }
}

function formIn(answer: Element): Element {
  const form = answer.getChild('query', NS.MUC_OWNER)?.getChild('x', NS.DATA_FORMS) ?? null;
  if (form !== null) return form;
  throw new BrokerError('MUC_NOT_CREATED', 'the room gave no form to configure it', {
    layer: 'stanza',
    origin: 'peer',
  });
}
