'use client'
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useCallback, useMemo, useState } from 'react'
import type { MachineRow } from '#lib/trpc/views.ts'
import { count, system } from '../format/format.ts'
import { linksByMachine } from '../network/rows.ts'
import { PageBar } from '../shell/page-bar.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { useUrlState } from '../shell/use-url-state.ts'
import { Command } from '../ui/copy.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Empty, Failed } from '../ui/empty.tsx'
import { SearchBox } from '../ui/search-box.tsx'
import { BoneRows } from '../ui/skeleton.tsx'
import { linkCommand } from './commands.ts'
import { LinkMachineButton } from './link-machine-button.tsx'
import { columnsOf, layout } from './machine-columns.tsx'

const RevokeDialog = lazy(() => import('./revoke-dialog.tsx').then((module) => ({ default: module.RevokeDialog })))

const found = (machine: MachineRow, q: string): boolean =>
  [
    machine.name,
    machine.person,
    system(machine.platform),
    machine.address,
    ...machine.agents.map((agent) => agent.name),
  ].some((text) => text?.toLowerCase().includes(q))

/** Every machine of the organization with its agents; linking and revoking. */
export function Machines({ org, origin }: { org: string; origin: string }) {
  const trpc = useTRPC()
  const machines = useQuery(trpc.machines.list.queryOptions({ org }))
  const links = useQuery(trpc.network.get.queryOptions({ org })).data?.links
  const [params, setParams] = useUrlState()
  const q = params.get('q') ?? ''
  const setQ = useCallback((text: string) => setParams({ q: text }), [setParams])
  const [revoking, setRevoking] = useState<MachineRow | null>(null)
  const [isRevokeOpen, setRevokeOpen] = useState(false)
  const columns = useMemo(
    () =>
      columnsOf(linksByMachine(links ?? []), (machine) => {
        setRevoking(machine)
        setRevokeOpen(true)
      }),
    [links],
  )
  const rows = useMemo(() => {
    const wanted = q.trim().toLowerCase()
    return machines.data?.filter((machine) => wanted === '' || found(machine, wanted))
  }, [machines.data, q])
  const linked = machines.data?.filter((machine) => machine.state !== 'revoked') ?? []
  const online = linked.filter((machine) => machine.state === 'online').length
  return (
    <>
      <PageBar title="Machines" fact={machines.data && `${count(online)} of ${count(linked.length)} online`}>
        <LinkMachineButton org={org} origin={origin} />
      </PageBar>
      {machines.data && machines.data.length > 0 && (
        <div className="flex h-11 shrink-0 items-center justify-end gap-2 border-b border-hair px-3 sm:px-4">
          <SearchBox label="Machine, agent, person" value={q} onChange={setQ} />
        </div>
      )}
      <div className="min-h-0 flex-1 overflow-auto">
        {machines.isError && !machines.data && <Failed error={machines.error} onRetry={() => machines.refetch()} />}
        {machines.isPending && <BoneRows rows={6} />}
        {machines.data?.length === 0 && (
          <Empty title="No machine is linked">
            <p>Agents reach each other through the machines they run on. Run this on one, then confirm its code.</p>
            <Command text={linkCommand(origin)} />
          </Empty>
        )}
        {rows?.length === 0 && machines.data && machines.data.length > 0 && (
          <Empty title="No machine matches">
            <p>
              None of {machines.data.length} matches “{q}”.{' '}
              <button type="button" className="font-medium text-accent hover:underline" onClick={() => setQ('')}>
                Show all
              </button>
            </p>
          </Empty>
        )}
        {rows && rows.length > 0 && (
          <DataTable
            label="Machines"
            rows={rows}
            columns={columns}
            layout={layout}
            rowId={(machine) => machine.id}
            initialSort="state"
            rowClassName={(machine) => (machine.state === 'revoked' ? 'text-fg-3' : undefined)}
          />
        )}
      </div>
      <Suspense>
        {revoking && <RevokeDialog org={org} machine={revoking} open={isRevokeOpen} onOpenChange={setRevokeOpen} />}
      </Suspense>
    </>
  )
}
