import { Bone, BoneRows } from '../ui/skeleton.tsx'

/** The overview before its data, in its geometry. */
export function OverviewSkeleton() {
  return (
    <div aria-busy className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-11 shrink-0 items-center border-b border-hair px-4">
        <h1 className="text-lg font-semibold tracking-[-0.01em]">Overview</h1>
      </div>
      <div className="grid flex-1 content-start gap-3 p-3 md:px-4">
        <div className="flex h-[62px] items-center rounded-3 border border-line px-3">
          <Bone className="w-56" />
        </div>
        <div className="flex h-[84px] items-center gap-24 rounded-3 border border-line px-3">
          <Bone shape="h-5 rounded-1" className="w-20" />
          <Bone shape="h-5 rounded-1" className="w-20" />
          <Bone shape="h-5 rounded-1" className="w-20" />
        </div>
        <div className="rounded-3 border border-line">
          <BoneRows rows={9} />
        </div>
      </div>
    </div>
  )
}
