/**
 * What the schema has that the migrations do not, as SQL. Prisma's own `migrate diff` needs a downloaded engine and prints
 * nothing, successfully, without it; the WebAssembly build of the same engine runs over an in-memory Postgres instead.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils'
import { PrismaPGlite } from 'pglite-prisma-adapter'

type Engine = { diff(params: unknown): Promise<{ exitCode: number; stdout: string | null }>; free(): void }
type Glue = {
  __wbg_set_wasm(exports: unknown): void
  SchemaEngine: { new: (params: unknown, log: (line: string) => void, factory: unknown) => Promise<Engine> }
}

const root = fileURLToPath(new URL('..', import.meta.url))
export const migrationsDir = path.join(root, 'prisma/migrations')
const schemaFile = path.join(root, 'prisma/schema.prisma')

export const readSchema = (): string => readFileSync(schemaFile, 'utf8')

/** The SQL that brings a database with every migration applied to this schema; empty when they agree. */
export async function schemaDiff(schema = readSchema()): Promise<string> {
  const lite = new PGlite()
  const engine = await startEngine(lite)
  try {
    const { exitCode, stdout } = await engine.diff({
      from: {
        tag: 'migrations',
        baseDir: migrationsDir,
        lockfile: { path: path.join(migrationsDir, 'migration_lock.toml'), content: 'provider = "postgresql"' },
        shadowDbInitScript: '',
        migrationDirectories: migrationNames().map((name) => ({
          path: name,
          migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sqlOf(name) } },
        })),
      },
      to: { tag: 'schemaDatamodel', files: [{ path: schemaFile, content: schema }] },
      script: true,
      exitCode: true,
      filters: { externalTables: [], externalEnums: [] },
    })
    return exitCode === 0 ? '' : (stdout ?? '')
  } finally {
    engine.free()
    await lite.close()
  }
}

const migrationNames = (): string[] =>
  existsSync(migrationsDir)
    ? readdirSync(migrationsDir, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
        .sort()
    : []

const sqlOf = (name: string): string => readFileSync(path.join(migrationsDir, name, 'migration.sql'), 'utf8')

let engines = 0

async function startEngine(lite: PGlite): Promise<Engine> {
  const folder = path.dirname(fileURLToPath(import.meta.resolve('@prisma/schema-engine-wasm')))
  // An engine keeps its memory in its module: a second one in this process needs a module of its own.
  const glue = (await import(`${pathToFileURL(path.join(folder, 'schema_engine_bg.js')).href}?${engines++}`)) as Glue
  const wasm = new WebAssembly.Module(readFileSync(path.join(folder, 'schema_engine_bg.wasm')))
  const instance = new WebAssembly.Instance(wasm, { './schema_engine_bg.js': glue as never })
  glue.__wbg_set_wasm(instance.exports)
  ;(instance.exports as { __wbindgen_start(): void }).__wbindgen_start()
  const factory = bindMigrationAwareSqlAdapterFactory(new PrismaPGlite(lite) as never)
  return glue.SchemaEngine.new({ datamodels: undefined }, () => {}, factory)
}
