// `npm run db:migration -- name`: writes the next migration from what prisma/schema.prisma has and the migrations lack.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { migrationsDir, schemaDiff } from './schema-diff.ts'

const name = process.argv[2]
if (!name || !/^[a-z0-9_]+$/.test(name)) {
  console.error(
    `A migration needs a name in snake_case, not "${name ?? ''}". Run: npm run db:migration -- add_something`,
  )
  process.exit(2)
}
const sql = await schemaDiff()
if (sql === '') {
  console.log('Schema and migrations agree: there is nothing to write.')
  process.exit(0)
}
const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14)
const file = path.join(migrationsDir, `${stamp}_${name}`, 'migration.sql')
mkdirSync(path.dirname(file))
writeFileSync(file, sql)
console.log(`${file}\nRead it, add what the schema cannot say, and run: npm test`)
process.exit(0)
