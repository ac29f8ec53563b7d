/**
 * Builds the published package into dist/: the command with lazily loaded parts, the daemon, the SDK with its types, and the
 * JSON Schemas of the local socket's frames. The same sources give the same bytes.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import * as local from '@agent-relay/protocol/local'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { z } from 'zod'

const root = import.meta.dirname
const { out } = parseArgs({ options: { out: { type: 'string', default: join(root, 'dist') } } }).values
/** Built aside and moved into place: somebody may run the old one meanwhile. */
const dist = `${resolve(out)}.${process.pid}`
/** More than this in dist/ means that something was bundled that should not have been. */
const MAX_BYTES = 2.5 * 1024 * 1024

/** Zod brings its sentences in fifty languages, and every start of the daemon would read them: English is what we speak. */
const onlyEnglish: Plugin = {
  name: 'only-english',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: `export { default as en } from './en.js'`,
    }))
  },
}

/** The UPnP search names itself after a package.json above it, which a bundle has not. */
const namesItself: Plugin = {
  name: 'names-itself',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]@achingbrain[\\/]ssdp[\\/]dist[\\/]src[\\/]ssdp\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8')
      const contents = source.replace(
        "req('../../package.json')",
        JSON.stringify({
          name: 'agent-relay',
          version: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
        }),
      )
      if (contents === source) throw new Error(`${path} asks for its package.json in another way than it did`)
      return { contents }
    })
  },
}

/** Routers are answered in XML that is only read; the writer that comes with the reader is a tenth of a megabyte. */
const onlyReadsXml: Plugin = {
  name: 'only-reads-xml',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]xmlbuilder[\\/]lib[\\/]index\.js$/ }, () => ({ contents: 'module.exports = {}' }))
  },
}

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.13',
  mainFields: ['module', 'main'],
  external: ['@lydell/node-pty'],
  plugins: [onlyEnglish, namesItself, onlyReadsXml],
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
}

await build({ ...common, entryPoints: { hot: 'src/cli/hot.ts', 'hot-up': 'src/cli/hot-up.ts' }, outdir: dist })
await build({
  ...common,
  entryPoints: {
    main: 'src/cli/main.ts',
    'daemon-main': 'src/daemon.ts',
    'search-worker': 'src/store/search-worker.ts',
    sdk: 'src/client/index.ts',
  },
  outdir: dist,
  splitting: true,
  chunkNames: 'chunk-[hash]',
  // CommonJS dependencies ask for Node's built-ins by `require`.
  banner: { js: 'import{createRequire as __cr}from"node:module";const require=__cr(import.meta.url);' },
})
writeShim()
writeDaemonEntry()
writeSchemas()
cpSync(join(root, 'src/client/sdk.d.ts'), join(dist, 'sdk.d.ts'))
checkSize()
moveIntoPlace()

/** The bin: it must parse on any Node, so that an old one gets a sentence instead of a syntax error. */
function writeShim(): void {
  const shim = `#!/usr/bin/env node
import module from 'node:module'
var version = process.versions.node.split('.').map(Number)
if (version[0] < 22 || (version[0] === 22 && version[1] < 13)) {
  console.error('agent-relay needs Node 22.13 or newer; this is Node ' + process.versions.node + '. Next: install it from https://nodejs.org')
  process.exit(1)
}
if (process.argv[2] === 'send') {
  import('./hot.js')
} else if (process.argv[2] === 'up') {
  import('./hot-up.js')
} else {
  module.enableCompileCache()
  import('./main.js')
}
`
  writeFileSync(join(dist, 'cli.js'), shim)
  chmodSync(join(dist, 'cli.js'), 0o755)
}

/** Static imports are compiled before any code runs, so the cache of compiled code is turned on one file earlier. */
function writeDaemonEntry(): void {
  const entry = `import module from 'node:module'
module.enableCompileCache()
await import('./daemon-main.js')
// A daemon that is killed would never write it.
setTimeout(() => module.flushCompileCache(), 1000).unref()
`
  writeFileSync(join(dist, 'daemon.js'), entry)
}

/** One file per frame and result, named as in the protocol's source. */
function writeSchemas(): void {
  mkdirSync(join(dist, 'schema'))
  const results = Object.entries(local.localResults).map(([type, result]) => [
    `${type}.ok`,
    local.Ok.extend({ result }),
  ])
  for (const [name, schema] of [...Object.entries(local), ...results]) {
    if (!(schema instanceof z.ZodType)) continue
    const file = `${String(name)
      .replace(/([a-z])([A-Z])/g, '$1-$2')
      .toLowerCase()}.json`
    const json = { title: name, ...z.toJSONSchema(schema, { target: 'draft-2020-12' }) }
    writeFileSync(join(dist, 'schema', file), `${JSON.stringify(json, null, 2)}\n`)
  }
}

function checkSize(): void {
  const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const sizeBytes = files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0)
  console.error(`dist: ${files.length} files, ${Math.round(sizeBytes / 1024)} KiB`)
  if (sizeBytes > MAX_BYTES) throw new Error(`dist is ${sizeBytes} bytes, over ${MAX_BYTES}`)
}

function moveIntoPlace(): void {
  const old = `${dist}.old`
  if (existsSync(out)) renameSync(out, old)
  renameSync(dist, out)
  rmSync(old, { recursive: true, force: true })
}
