/** One cell: one candidate and one measure in a process of its own. Prints the result as one line of JSON. */
const [measure, candidate, params] = process.argv.slice(2);
const { run } = await import(new URL(`measures/${measure}.mjs`, import.meta.url));
const module = await import(new URL(`candidates/${candidate}.mjs`, import.meta.url));
const result = await run(module, JSON.parse(params));
// Nothing that is still open may keep the process.
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
