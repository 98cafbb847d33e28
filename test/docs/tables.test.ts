import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import * as broker from 'xmpp-broker';
import EVENTS from '../../src/events.js';
import DIALECTS from '../../src/protocols/index.js';
import { bare, ROOT, tableRows } from './support/markdown.js';

describe('docs/options.md', () => {
  const { config } = new broker.Broker({
    connectionType: broker.JABBERD14_COMPONENT,
    host: '127.0.0.1',
    port: 5347,
    domain: 'echo.example.org',
    password: 'secret',
    logger: false,
  });

  it.each([
    ['## `timeouts`, in milliseconds', config.timeouts],
    ['## `liveness`, in milliseconds', config.liveness],
    ['## `reconnect`', config.reconnect],
    ['## `limits`', config.limits],
    ['## `queue`', config.queue],
  ])('%s: names and defaults are those of the code', (heading, defaults) => {
    const printed = Object.fromEntries(
      tableRows('options.md', heading).map(([name, value]) => [bare(name), bare(value)]),
    );
    const real = Object.fromEntries(
      Object.entries(defaults).map(([name, value]) => [name, value === Infinity ? 'noend' : String(value)]),
    );
    expect(printed).toEqual(real);
  });

  it('has every option', () => {
    const printed = tableRows('options.md', '# Options').flatMap(([names = '']) => names.match(/\w+/g) ?? []);
    expect(printed.sort()).toEqual(membersOf('src/options/options.ts', 'BrokerOptions').sort());
  });
});

describe('docs/tls.md', () => {
  it('has every TLS option', () => {
    const printed = tableRows('tls.md', '## What is checked of a certificate').flatMap(
      ([names = '']) => names.match(/\w+/g) ?? [],
    );
    expect(['policy', ...printed].sort()).toEqual(membersOf('src/tls/options.ts', 'TlsOptions').sort());
  });
});

describe('docs/monitoring.md', () => {
  it('has every number of stats()', () => {
    const one = new broker.Broker({ connectionType: broker.XMPP, jid: 'a@b', password: 'c', logger: false });
    const paths = (value: unknown, path: string): string[] =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([name, inner]) => paths(inner, path === '' ? name : `${path}.${name}`))
        : [path];
    const printed = tableRows('monitoring.md', '## What there is').flatMap(
      ([names = '']) => names.match(/[\w.]+/g) ?? [],
    );
    expect(printed.sort()).toEqual(paths(one.stats(), '').sort());
  });
});

describe('docs/dialects.md', () => {
  it.each(DIALECTS)('has a section on $name, and says every name that the package exports it by', (dialect) => {
    const names = Object.entries(broker).flatMap(([name, value]) => (value === dialect ? [name] : []));
    expect(names).toContain(dialect.name);
    const page = readFileSync(`${ROOT}/docs/dialects.md`, 'utf8');
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
    const [name = ''] = names.filter((each) => page.includes(`\n## ${each}\n`));
    expect(page).toContain(`\n| [\`${name}\`](#${name.toLowerCase()}) |`);
  });

  it.each([
    ['## XMPP', membersOf('src/protocols/xmpp/options.ts', 'XmppOptions')],
    ['## LEGACY', membersOf('src/protocols/legacy.ts', 'LegacyOptions')],
    ['## COMPONENT', membersOf('src/protocols/jabberd14.ts', 'ComponentOptions')],
    [
      '## ROUTER',
      [
        ...membersOf('src/protocols/jabberd2.ts', 'RouterOptions'),
        ...membersOf('src/protocols/jabberd2/bind.ts', 'NameOptions'),
      ],
    ],
  ])('%s: has every option', (heading, options) => {
    expect(
      tableRows('dialects.md', heading)
        .map(([name]) => bare(name))
        .sort(),
    ).toEqual(options.sort());
  });
});

describe('src/events.ts', () => {
  it('has a row for every constant, and the package has the constants', () => {
    const constants = Object.entries(broker).filter(([name]) => name.startsWith('PCJ_'));
    expect(constants.map(([, value]) => value)).toEqual(constants.map(([name]) => name));
    expect(constants.map(([name]) => name).sort()).toEqual(Object.keys(EVENTS).sort());
  });
});

describe('docs/events.md', () => {
  const page = readFileSync(`${ROOT}/docs/events.md`, 'utf8');
  const payloads = payloadFields();

  it('is compared with payloads that are objects', () => {
    expect(payloads.get('PCJ_CONNECTING')).toEqual(['host', 'port']);
    expect(payloads.size).toBeGreaterThan(10);
  });

  it.each(Object.keys(EVENTS))('%s is there with its payload', (event) => {
    const lines = page.split('\n').filter((line) => line.startsWith(`| \`${event}\` |`));
    expect(lines.length, 'lines of tables that begin with the event').toBeGreaterThan(0);
    const fields = payloads.get(event) ?? [];
    if (fields.length === 0) return;
    const named = lines.flatMap((line) => /\| `\{ ([^}]*) \}`/.exec(line)?.[1]?.split(', ') ?? []);
    expect(named.map((name) => name.replace('?', ''))).toEqual(fields);
  });

  it('shows no event that does not exist', () => {
    expect(
      [...page.matchAll(/PCJ_[A-Z_]*[A-Z]/g)].map(([name]) => name).filter((name) => !Object.hasOwn(EVENTS, name)),
    ).toEqual([]);
  });
});

describe('docs/writing-a-dialect.md', () => {
  it('has every member of a dialect', () => {
    const printed = tableRows('writing-a-dialect.md', '## The other members').flatMap(
      ([names = '']) => names.replaceAll(/\(.*?\)/g, '').match(/\w+/g) ?? [],
    );
    expect(['negotiate', ...printed].sort()).toEqual(membersOf('src/protocols/dialect.ts', 'Dialect').sort());
  });

  it('names the events that a dialect may publish', () => {
    const page = readFileSync(`${ROOT}/docs/writing-a-dialect.md`, 'utf8');
    const [, list = ''] = /^- A dialect may publish (.*?)\. /ms.exec(page) ?? [];
    const reported = Object.entries(EVENTS).flatMap(([name, row]) => ('dialect' in row ? [name] : []));
    expect(list.match(/PCJ_\w+/g)?.sort()).toEqual(reported.sort());
  });
});

function parsed(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(`${ROOT}/${file}`, 'utf8'), ts.ScriptTarget.ES2023);
}

function namesOf(members: ts.NodeArray<ts.TypeElement>): string[] {
  return members.flatMap(({ name }) => (name !== undefined && ts.isIdentifier(name) ? [name.text] : []));
}

function membersOf(file: string, name: string): string[] {
  const found = parsed(file).statements.find(
    (statement): statement is ts.InterfaceDeclaration =>
      ts.isInterfaceDeclaration(statement) && statement.name.text === name,
  );
  if (found === undefined) throw new Error(`${file} has no interface ${name}`);
  return namesOf(found.members);
}

/** Fields of the events whose payload is spelt out as an object: `[PCJ_X]: { payload: of<{ … }>() }`. */
function payloadFields(): Map<string, string[]> {
  const fields = new Map<string, string[]>();
  const visit = (node: ts.Node, event: string): void => {
    if (ts.isTypeLiteralNode(node) && event !== '') fields.set(event, namesOf(node.members));
    if (ts.isTypeLiteralNode(node) || ts.isIntersectionTypeNode(node)) return;
    const row =
      ts.isPropertyAssignment(node) && ts.isComputedPropertyName(node.name) ? node.name.expression : undefined;
    ts.forEachChild(node, (child) => visit(child, row !== undefined && ts.isIdentifier(row) ? row.text : event));
  };
  visit(parsed('src/events.ts'), '');
  return fields;
}
