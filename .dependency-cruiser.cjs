// The house's import rules as errors: see docs/architecture.md, "What may import what".
// Imports run one way; the ground floor is protocol/, and daemon/ and lib/ never know each other.
const io =
  '^(node:)?(fs|net|http|https|http2|tls|dgram|child_process|worker_threads|cluster|sqlite|os|dns|readline|repl)(/|$)'

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'protocol-stands-alone',
      severity: 'error',
      from: { path: '^protocol/' },
      to: { path: '^(app|components|lib|daemon|scripts)/|^server[.]ts' },
    },
    {
      name: 'protocol-does-no-io',
      severity: 'error',
      from: { path: '^protocol/src' },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'core-does-no-io', severity: 'error', from: { path: '^daemon/src/core' }, to: { path: io } },
    {
      name: 'core-knows-only-protocol',
      severity: 'error',
      from: { path: '^daemon/src/core' },
      to: { path: '^daemon/src/(?!core/)|node_modules/(?!@agent-relay/)' },
    },
    {
      name: 'link-manager-does-no-io',
      severity: 'error',
      from: { path: '^daemon/src/peers/manager', pathNot: '[.]test[.]ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'link-manager-knows-only-protocol',
      severity: 'error',
      from: { path: '^daemon/src/peers/manager', pathNot: '[.]test[.]ts$' },
      to: { path: '^daemon/src/(?!peers/(manager/|transport[.]ts))|node_modules/(?!@agent-relay/)' },
    },
    {
      name: 'daemon-and-cloud-are-strangers',
      severity: 'error',
      from: { path: '^daemon/' },
      to: { path: '^(app|components|lib|scripts)/|^server[.]ts' },
    },
    {
      name: 'cloud-and-daemon-are-strangers',
      severity: 'error',
      from: { path: '^(app|components|lib)/|^server[.]ts' },
      to: { path: '^daemon/' },
    },
    {
      name: 'cli-speaks-through-the-client',
      severity: 'error',
      from: { path: '^daemon/src/(cli|mcp|hooks)/' },
      to: { path: '^daemon/src/(core|store|local|peers|agents|daemon[.]ts)' },
    },
    {
      name: 'client-is-an-sdk',
      severity: 'error',
      from: { path: '^daemon/src/client' },
      to: { path: '^daemon/src/(?!client|home/(paths|env|tokens|files)[.]ts|errors)' },
    },
    {
      name: 'floors-do-not-know-each-other',
      severity: 'error',
      from: { path: '^daemon/src/(store|local|cloud|agents|peers)/' },
      to: { path: '^daemon/src/(store|local|cloud|agents|peers|cli)/', pathNot: '^daemon/src/$1/' },
    },
    {
      name: 'only-daemon.ts-knows-everybody',
      severity: 'error',
      from: { path: '^daemon/src/', pathNot: '^daemon/src/(cli/|daemon[.]ts)' },
      to: { path: '^daemon/src/daemon[.]ts' },
    },
    {
      name: 'routes-do-not-touch-the-database',
      severity: 'error',
      from: { path: '^(app|components)/' },
      to: { path: '^lib/db/' },
    },
    { name: 'routes-go-through-edges', severity: 'error', from: { path: '^app/' }, to: { path: '^lib/(audit|jobs)/' } },
    {
      name: 'edges-do-not-touch-the-database',
      severity: 'error',
      from: { path: '^lib/(trpc|rest)/' },
      to: { path: '^lib/db/' },
    },
    {
      name: 'components-take-types-only',
      comment: 'The tables that the browser also reads (URLs, roles, plan limits) are pure and allowed: ADR 0002.',
      severity: 'error',
      from: { path: '^components/' },
      to: { path: '^lib/', pathNot: '^lib/(paths|access/roles|access/plans)[.]ts', dependencyTypesNot: ['type-only'] },
    },
    { name: 'components-do-not-know-routes', severity: 'error', from: { path: '^components/' }, to: { path: '^app/' } },
    {
      name: 'lib-does-not-know-pages',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^(app|components)/|^server[.]ts' },
    },
    {
      name: 'services-do-not-know-edges',
      comment: 'views.ts holds the shapes that services build for the pages, types only.',
      severity: 'error',
      from: { path: '^lib/services/' },
      to: { path: '^lib/(trpc|rest)/', pathNot: '^lib/trpc/views[.]ts' },
    },
    {
      name: 'db-is-the-cellar',
      severity: 'error',
      from: { path: '^lib/db/' },
      to: { path: '^lib/(services|trpc|rest|realtime|auth|access)/' },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    exclude: { path: '^lib/db/generated|^node_modules/(?!@agent-relay)' },
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.js', '.mjs'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
}
