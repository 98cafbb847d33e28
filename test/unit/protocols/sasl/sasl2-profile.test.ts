import { describe, expect, it } from 'vitest';
import { runExchange } from '../../../../src/protocols/sasl/exchange.js';
import { PLAIN } from '../../../../src/protocols/sasl/plain.js';
import { sasl2 } from '../../../../src/protocols/sasl/sasl2-profile.js';
import { xml, type XmlChild } from '../../../../src/xml/builder.js';
import { NS } from '../../../../src/xml/namespaces.js';
import { mechanismSettings, refusal, ScriptedStream } from './support.js';

const el = (name: string, ...children: XmlChild[]) => xml(name, { xmlns: NS.SASL2 }, ...children);

describe('SASL2 on the wire', () => {
  it('modern 1.2: an empty initial response is not the same as none', () => {
    const { begin } = sasl2([xml('x', { xmlns: 'urn:x' })]);
    expect(begin('X', null).toString()).toBe(
      `<authenticate xmlns='${NS.SASL2}' mechanism='X'><x xmlns='urn:x'/></authenticate>`,
    );
    expect(begin('X', Buffer.alloc(0)).toString()).toBe(
      `<authenticate xmlns='${NS.SASL2}' mechanism='X'><initial-response/><x xmlns='urn:x'/></authenticate>`,
    );
  });

  it.each(['challenge', 'success', 'failure', 'continue'])('S-S2-2: <%s/> of another namespace is no step', (name) => {
    const { read } = sasl2([]);
    expect(read(el(name))?.type).toBe(name);
    expect(read(xml(name, { xmlns: NS.SASL }))).toBeNull();
    expect(read(xml(name, { xmlns: '' }))).toBeNull();
  });

  it.each(['authenticate', 'response', 'abort', 'next', 'Success'])('S-S2-2: <%s/> is no step of a server', (name) => {
    expect(sasl2([]).read(el(name))).toBeNull();
  });

  it.each([
    ['no tasks', []],
    ['an empty list', [el('tasks')]],
    ['a task without a name', [el('tasks', el('task'))]],
    ['tasks of another namespace', [xml('tasks', { xmlns: 'urn:x' }, xml('task', {}, 'X'))]],
  ])('S-S2-3: <continue/> with %s is aborted all the same', async (_what, children) => {
    const stream = new ScriptedStream(({ localName }) =>
      localName === 'authenticate' ? [el('continue', children)] : [],
    );
    const error = await refusal(() => runExchange(stream, sasl2([]), PLAIN, mechanismSettings()));
    expect(error.code).toBe('SASL2_TASK_UNSUPPORTED');
    expect(error.message).toContain('a task without a name');
    expect(stream.names).toEqual(['authenticate', 'abort']);
  });
});
