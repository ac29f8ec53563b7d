/**
 * SQLite for the simulator, in place of node:sqlite in its bundle: databases in memory that are emptied and used again, with
 * their prepared statements, because opening three of them costs a run as much as all its messages.
 */
import { DatabaseSync as Real, type StatementSync } from 'node:sqlite'

const free: Reused[] = []

class Reused extends Real {
  readonly #statements = new Map<string, StatementSync>()

  override prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = super.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  override close(): void {
    if (this.isTransaction) this.exec('ROLLBACK')
    const tables = this.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[]
    for (const { name } of tables) this.prepare(`DELETE FROM ${name}`).run()
    free.push(this)
  }
}

export const DatabaseSync = new Proxy(Reused, {
  construct: (_, [path]: [string]) => free.pop() ?? new Reused(path),
})
