'use client'
import '@xyflow/react/dist/base.css'
import { ReactFlow, ReactFlowProvider, useReactFlow, useStore } from '@xyflow/react'
import { Maximize, Minus, Plus } from 'lucide-react'
import { type ReactNode, useEffect, useMemo, useState } from 'react'
import type { NetworkView } from '#lib/trpc/views.ts'
import { Button } from '../ui/button.tsx'
import { type Layout, layOut } from './layout.ts'
import { type LinkLine, LinkPath, type Spoke, SpokePath } from './link-line.tsx'
import { HubBox, type HubNode, MachineBox, type MachineNode } from './machine-node.tsx'
import { type Box, HUB_ID, MAX_DRAWN } from './place.ts'

const nodeTypes = { machine: MachineBox, hub: HubBox }
const edgeTypes = { link: LinkPath, spoke: SpokePath }
/** Where the picture stands within its pane; no closer than its own size, or two machines fill the page. */
const FIT = { padding: 0.08, maxZoom: 1 }

type Props = { network: NetworkView; chosen: string | null; onChoose: (id: string) => void }

/** The picture of the network. It shows what the table beside it says, for eyes and a mouse. */
export function Graph(props: Props) {
  return (
    <ReactFlowProvider>
      <Picture {...props} />
    </ReactFlowProvider>
  )
}

function Picture({ network, chosen, onChoose }: Props) {
  const layout = useLayout(network)
  const nodes = useMemo(() => nodesOf(network, layout, chosen), [network, layout, chosen])
  const edges = useMemo(() => edgesOf(network, layout, { chosen, onChoose }), [network, layout, chosen, onChoose])
  return (
    <>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        onNodeClick={(_, node) => node.type === 'machine' && onChoose(node.id)}
        onEdgeClick={(_, edge) => edge.type === 'link' && onChoose(edge.id)}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        // The page scrolls; the picture is moved by dragging and sized by its buttons.
        zoomOnScroll={false}
        zoomOnDoubleClick={false}
        preventScrolling={false}
        minZoom={0.2}
        maxZoom={1.5}
        fitView
        fitViewOptions={FIT}
        className="[&_.react-flow\_\_attribution]:bg-transparent! [&_.react-flow\_\_attribution_a]:text-fg-3!"
      />
      <Fit of={`${layout.placement.step}`} />
      <Zoom />
      {network.machines.length > MAX_DRAWN && (
        <p className="absolute bottom-3 left-3 text-sm text-fg-3">
          {MAX_DRAWN} of {network.machines.length} machines are drawn; the table has all of them.
        </p>
      )}
    </>
  )
}

/** Keeps machines where they are while others come and go. */
function useLayout(network: NetworkView): Layout {
  const [known, setKnown] = useState(() => ({ network, layout: layOut(network) }))
  if (known.network === network) return known.layout
  const layout = layOut(network, known.layout.placement)
  setKnown({ network, layout })
  return layout
}

const sized = ({ x, y, width, height }: Box) => ({ position: { x, y }, width, height, measured: { width, height } })

function nodesOf({ machines }: NetworkView, layout: Layout, chosen: string | null): (MachineNode | HubNode)[] {
  const online = machines.filter(({ state }) => state === 'online').length
  const fact = `${online} of ${machines.length} connected`
  return [
    { id: HUB_ID, type: 'hub', data: { fact }, ...sized(layout.hub) },
    ...machines.flatMap((machine): MachineNode[] => {
      const box = layout.machines.get(machine.id)
      if (box === undefined) return []
      const isChosen = chosen?.split('.').includes(machine.id) === true
      return [{ id: machine.id, type: 'machine', data: { machine, isFull: layout.isFull, isChosen }, ...sized(box) }]
    }),
  ]
}

function edgesOf({ machines, links }: NetworkView, layout: Layout, { chosen, onChoose }: Omit<Props, 'network'>) {
  const isUp = new Set(machines.filter(({ state }) => state === 'online').map(({ id }) => id))
  const byId = new Map(links.map((link) => [link.id, link]))
  const spokes = layout.spokes.map(
    ({ machine, path }): Spoke => ({
      ...{ id: `spoke-${machine}`, type: 'spoke', source: HUB_ID, target: machine },
      data: { path, isUp: isUp.has(machine), isChosen: chosen === machine },
    }),
  )
  const lines = layout.links.flatMap((drawn): LinkLine[] => {
    const link = byId.get(drawn.id)
    if (link === undefined) return []
    const data = { link, drawn, isChosen: chosen === link.id, onChoose: () => onChoose(link.id) }
    return [{ id: link.id, type: 'link', source: link.a.id, target: link.b.id, data }]
  })
  return [...spokes, ...lines]
}

/** Shows the whole picture again when it was placed anew, or its pane has another size. */
function Fit({ of }: { of: string }) {
  const { fitView } = useReactFlow()
  const size = useStore(({ width, height }) => `${width}x${height}`)
  // biome-ignore lint/correctness/useExhaustiveDependencies: what it is fitted to is not read, it is looked at
  useEffect(() => {
    void fitView(FIT)
  }, [fitView, of, size])
  return null
}

function Zoom() {
  const { zoomIn, zoomOut, fitView } = useReactFlow()
  return (
    <div className="absolute top-3 right-3 flex flex-col rounded-2 border border-line bg-surface-1">
      <ZoomButton label="Zoom in" onClick={() => void zoomIn()}>
        <Plus aria-hidden size={14} />
      </ZoomButton>
      <ZoomButton label="Zoom out" onClick={() => void zoomOut()}>
        <Minus aria-hidden size={14} />
      </ZoomButton>
      <ZoomButton label="Show everything" onClick={() => void fitView(FIT)}>
        <Maximize aria-hidden size={14} />
      </ZoomButton>
    </div>
  )
}

function ZoomButton({ label, onClick, children }: { label: string; onClick: () => void; children: ReactNode }) {
  return (
    <Button variant="ghost" size="icon" aria-label={label} title={label} onClick={onClick}>
      {children}
    </Button>
  )
}
