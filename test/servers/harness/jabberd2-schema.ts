/** Tables that jabberd2's SQLite back end expects for the modules its configuration here names: columns and types. */
const TABLES: Readonly<Record<string, string>> = {
  active: 'time:INTEGER',
  logout: 'time:INTEGER',
  'roster-items': 'jid:TEXT name:TEXT to:BOOLEAN from:BOOLEAN ask:INTEGER',
  'roster-groups': 'jid:TEXT group:TEXT',
  queue: 'xml:TEXT',
  private: 'ns:TEXT xml:TEXT',
  'privacy-default': 'default:TEXT',
  'privacy-items': 'list:TEXT type:TEXT value:TEXT deny:BOOL order:INTEGER block:INTEGER',
};

const columns = (list: string): string =>
  list
    .split(' ')
    .map((column) => column.replace(/^(.*):(.*)$/, '"$1" $2'))
    .join(', ');

/** SQL that makes an empty database. */
export const JABBERD2_SCHEMA: string = [
  'CREATE TABLE authreg(username TEXT NOT NULL, realm TEXT NOT NULL, password TEXT);',
  ...Object.entries(TABLES).map(
    ([name, list]) =>
      `CREATE TABLE "${name}"("collection-owner" TEXT NOT NULL, "object-sequence" INTEGER PRIMARY KEY, ${columns(list)});`,
  ),
  '',
].join('\n');
