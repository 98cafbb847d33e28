import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Broker, COMPONENT } from 'xmpp-broker';

setFlagsFromString('--allow-natives-syntax');
const haveSameShape = runInThisContext('(a, b) => %HaveSameMap(a, b)') as (a: object, b: object) => boolean;
haveSameShape({}, {}); // compiled now
setFlagsFromString('--no-allow-natives-syntax');

it('the options of thousands of brokers share one shape, which is as large as they are', () => {
  const configs = Array.from({ length: 100 }, (_, i) => {
    const broker = new Broker({
      connectionType: COMPONENT,
      host: '127.0.0.1',
      port: 1,
      domain: `comp${String(i)}.localhost`,
      password: 'secret',
      logger: false,
    });
    return broker.config;
  });
  const [first, ...others] = configs.slice(50);
  expect(others.filter((config) => !haveSameShape(first ?? {}, config))).toHaveLength(0);
});
