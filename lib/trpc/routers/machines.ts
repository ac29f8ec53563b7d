import { z } from 'zod'
import { createMachineKey } from '../../services/machines/create-machine-key.ts'
import { revokeMachine } from '../../services/machines/revoke-machine.ts'
import { listMachines } from '../../services/reads/list-machines.ts'
import { orgProcedure, router } from '../init.ts'

export const machinesRouter = router({
  list: orgProcedure.query(({ ctx }) => listMachines(ctx)),
  createKey: orgProcedure
    .input(z.object({ name: z.string().trim().min(1).max(100) }))
    .mutation(({ ctx, input }) => createMachineKey(ctx, input)),
  revoke: orgProcedure
    .input(z.object({ machineId: z.string().min(1).max(64) }))
    .mutation(({ ctx, input }) => revokeMachine(ctx, input)),
})
