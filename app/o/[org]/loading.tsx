import { Bone, BoneRows } from '#components/ui/skeleton.tsx'

export default function Loading() {
  return (
    <div aria-busy className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-3 border-b border-hair px-4">
        <Bone className="h-3 w-24" />
        <Bone className="h-[22px] w-16 rounded-full" />
      </div>
      <div className="flex h-11 shrink-0 items-center border-b border-hair px-4">
        <Bone className="h-5 w-48" />
      </div>
      <BoneRows rows={12} />
    </div>
  )
}
