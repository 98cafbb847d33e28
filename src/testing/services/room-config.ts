// What an owner sets of a room: XEP-0045 §10, §15.5.3.
import { StanzaError } from '../../stanza/stanza-error.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { dataForm, isTrue, submitted, type FormField } from './data-form.js';

const PREFIX = 'muc#roomconfig_';
const FORM_TYPE = `${NS.MUC}#roomconfig`;

/** Most messages that a room keeps for those who come. */
const HISTORY_LIMIT = 100;
const OCCUPANTS_LIMIT = 1000;

/** The settings of one room. */
export interface RoomConfig {
  readonly name: string;
  readonly description: string;
  readonly isPublic: boolean;
  readonly persistent: boolean;
  readonly membersOnly: boolean;
  readonly moderated: boolean;
  /** Whether everybody sees the real addresses. */
  readonly nonAnonymous: boolean;
  readonly changeSubject: boolean;
  /** Empty for none. */
  readonly password: string;
  readonly historyLength: number;
  readonly maxOccupants: number;
}

export const DEFAULT_CONFIG: RoomConfig = {
  name: '',
  description: '',
  isPublic: true,
  persistent: false,
  membersOnly: false,
  moderated: false,
  nonAnonymous: false,
  changeSubject: true,
  password: '',
  historyLength: 20,
  maxOccupants: OCCUPANTS_LIMIT,
};

/** The form that owners fill in. */
export function configForm(config: RoomConfig): Element {
  const fields: readonly FormField[] = [
    ['roomname', 'text-single', config.name],
    ['roomdesc', 'text-single', config.description],
    ['publicroom', 'boolean', config.isPublic],
    ['persistentroom', 'boolean', config.persistent],
    ['membersonly', 'boolean', config.membersOnly],
    ['moderatedroom', 'boolean', config.moderated],
    ['whois', 'list-single', config.nonAnonymous ? 'anyone' : 'moderators', ['moderators', 'anyone']],
    ['changesubject', 'boolean', config.changeSubject],
    ['passwordprotectedroom', 'boolean', config.password !== ''],
    ['roomsecret', 'text-private', config.password],
    ['historylength', 'text-single', String(config.historyLength)],
    ['maxusers', 'text-single', String(config.maxOccupants)],
  ];
  const named = fields.map(([name, ...rest]): FormField => [`${PREFIX}${name}`, ...rest]);
  return dataForm('form', FORM_TYPE, named);
}

/**
 * The settings with what was filled in. Fields that are not there stay as they are, those that are not known are passed over.
 * @throws StanzaError `not-acceptable`
 */
export function configured(config: RoomConfig, form: Element): RoomConfig {
  const given = submitted(form);
  const text = (name: string, otherwise: string) => given.get(`${PREFIX}${name}`) ?? otherwise;
  const flag = (name: string, otherwise: boolean) => isTrue(text(name, otherwise ? '1' : '0'));
  const whole = (name: string, otherwise: number, most: number) => {
    const value = text(name, String(otherwise));
    // Forms offer "none" where there is no bound of the owner's.
    return value === 'none' ? most : Math.min(count(value), most);
  };
  const secret = text('roomsecret', config.password);
  const isProtected = flag('passwordprotectedroom', secret !== '');
  if (given.get(`${PREFIX}passwordprotectedroom`) !== undefined && isProtected && secret === '') {
    throw new StanzaError('not-acceptable', { text: 'a room with a password needs one' });
  }
  return {
    name: text('roomname', config.name),
    description: text('roomdesc', config.description),
    isPublic: flag('publicroom', config.isPublic),
    persistent: flag('persistentroom', config.persistent),
    membersOnly: flag('membersonly', config.membersOnly),
    moderated: flag('moderatedroom', config.moderated),
    nonAnonymous: text('whois', config.nonAnonymous ? 'anyone' : 'moderators') === 'anyone',
    changeSubject: flag('changesubject', config.changeSubject),
    password: isProtected ? secret : '',
    historyLength: whole('historylength', config.historyLength, HISTORY_LIMIT),
    maxOccupants: whole('maxusers', config.maxOccupants, OCCUPANTS_LIMIT),
  };
}

function count(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new StanzaError('not-acceptable', { text: 'a number was expected' });
}
