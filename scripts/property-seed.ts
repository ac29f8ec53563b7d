/**
 * Property tests draw the same cases in every run of the suite, so that a red run can be repeated and a green one means the
 * same everywhere. `PROPERTY_SEED=random npx vitest run` looks for new ones; a number repeats one.
 */
import fc from 'fast-check'

const wanted = process.env.PROPERTY_SEED ?? '20261123'
if (wanted !== 'random') fc.configureGlobal({ seed: Number(wanted) })
