/** Fields of package.json that say whose package it is. Nothing else does. */
const OWNER_FIELDS = ['repository', 'homepage', 'bugs'];

/**
 * What stands against publishing, each with the way out.
 *
 * @param {{ manifest: Record<string, unknown>, changelog: string, uncommitted: string }} release
 * @returns {string[]}
 */
export function problemsOf({ manifest, changelog, uncommitted }) {
  const version = String(manifest.version);
  const dated = new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d{2}-\\d{2}$`, 'm');
  return [
    ...OWNER_FIELDS.filter((field) => !manifest[field]).map(
      (field) => `package.json has no "${field}": say where the project lives`,
    ),
    ...(dated.test(changelog) ? [] : [`CHANGELOG.md has no heading for ${version} with a date`]),
    ...(uncommitted === '' ? [] : ['the checkout differs from the last commit: commit or discard the difference']),
  ];
}
