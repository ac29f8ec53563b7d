import { Bone, BoneRows } from '#components/ui/skeleton.tsx'

export default function Loading() {
  return (
    <div aria-busy className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-3 border-b border-hair px-4">
        <Bone shape="h-3 rounded-1" className="w-24" />
        <Bone shape="h-[22px] rounded-full" className="w-16" />
      </div>
      <div className="flex h-11 shrink-0 items-center border-b border-hair px-4">
        <Bone shape="h-5 rounded-1" className="w-48" />
      </div>
      <BoneRows rows={12} />
    </div>
  )
}
