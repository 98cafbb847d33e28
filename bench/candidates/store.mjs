/** xmpp-broker with its SQLite store, and the same work by hand with the same SQLite. */
import { createRequire, isBuiltin } from 'node:module';
import { dist } from '../dist.mjs';

const { Broker, JABBERD14_COMPONENT, xml } = await import(dist('index.js'));
const { sqliteStore } = await import(dist('stores/sqlite.js'));
const require = createRequire(import.meta.url);

export const newStore = (file) => sqliteStore({ file });

/** A broker that is not connected: what is output is held, and stored where there is a store. */
export function broker(store, name = 'echo.example.org') {
  return new Broker({
    connectionType: JABBERD14_COMPONENT,
    host: '127.0.0.1',
    port: 1,
    domain: 'echo.example.org',
    password: 'secret',
    logger: false,
    queue: { maxStanzas: 10_000_000, maxBytes: 2 ** 34, ...(store === null ? {} : { store, name }) },
  });
}

export const message = (i) =>
  xml(
    'message',
    { to: 'alice@example.org', from: 'echo.example.org', id: `m${i}` },
    xml('body', {}, 'hello there, how are you doing today?'),
  );

export const textOf = (i) =>
  `<message to='alice@example.org' from='echo.example.org' id='m${i}'><body>hello there, how are you doing today?</body></message>`;

export function database(file) {
  const db = isBuiltin('node:sqlite')
    ? new (require('node:sqlite').DatabaseSync)(file)
    : new (require('better-sqlite3'))(file);
  db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
  return db;
}

/** What somebody writes who commits each stanza where it is output. */
export function byHand(file) {
  const db = database(file);
  db.exec(
    'CREATE TABLE stanza (seq INTEGER PRIMARY KEY, queue TEXT, key TEXT, at INTEGER, xml TEXT, UNIQUE (queue, key))',
  );
  const insert = db.prepare('INSERT INTO stanza (queue, key, at, xml) VALUES (?, ?, ?, ?)');
  return { store: (key, xml) => void insert.run('echo.example.org', key, Date.now(), xml), close: () => db.close() };
}
