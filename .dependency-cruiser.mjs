// The circle check, a part of `npm run lint`. An import of a type counts like any other: whoever changes one file of a
// circle has to understand them all. Which room may import which is said by LAW in eslint.config.js.

/** The circles that are left, each inside of one room, with the reason. A test fails when one of them is gone. */
export const CIRCLES = [
  {
    why: 'Nodes of a tree lead to one another. What an element does lies in files of its own, by what it is about.',
    files: ['attr', 'attribute-writing', 'attributes', 'clone', 'document', 'element', 'inheritance', 'order']
      .concat('serializer', 'text')
      .map((name) => `src/xml/${name}.ts`),
  },
  {
    why: 'A site is everything a loopback server has, its sessions and links too, and these route through the site.',
    files: ['client-session', 'hub', 'resumption', 'router-link', 'site'].map((name) => `src/testing/${name}.ts`),
  },
];

// One expression each: `via` takes no lists.
const groups = CIRCLES.map(({ files }) => `^(?:${files.join('|').replaceAll('.', '[.]')})$`);

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'circle-between-folders',
      comment: 'Rooms, and the folders in them, need each other one way.',
      scope: 'folder',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'circle',
      comment: 'Files need each other one way. Move what both need into a third file, or say the reason in CIRCLES.',
      severity: 'error',
      from: { path: '(.+)', pathNot: groups },
      // A module may ask for its own type.
      to: { circular: true, pathNot: '^$1$' },
    },
    ...groups.map((group, i) => ({
      name: `circle-grows-${i + 1}`,
      comment: `A circle of CIRCLES leads through more files now. It is there because: ${CIRCLES[i].why}`,
      severity: 'error',
      from: { path: group },
      to: { circular: true, via: { pathNot: group } },
    })),
    {
      name: 'only-what-users-get',
      comment: 'Whoever installs the package gets its dependencies, not those of its development.',
      severity: 'error',
      // The page of the console is shipped with what it needs taken in: scripts/console-page.mjs.
      from: { pathNot: '^src/console/page/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['npm-peer'] },
    },
    { name: 'nowhere', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    // Some packages say only in `exports` where they begin.
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
};
