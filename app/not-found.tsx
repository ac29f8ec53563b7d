import { Mark } from '#components/marks/mark.tsx'
import { PlainPage } from '#components/shell/plain-page.tsx'
import { buttonStyles } from '#components/ui/button.tsx'
import { paths } from '#lib/paths.ts'

export default function NotFound() {
  return (
    <PlainPage>
      <div className="grid w-full max-w-[400px] justify-items-start gap-3">
        <Mark size={32} />
        <h1 className="text-2xl font-semibold tracking-[-0.025em]">There is no such page</h1>
        <p className="text-fg-2">
          Either the address is wrong, or it belongs to an organization that you are not a member of.
        </p>
        {/* A plain link: this page is part of every other, and the script of next/link would be too. */}
        <a href={paths.home()} className={buttonStyles({ size: 'lg' })}>
          Go to your organization
        </a>
      </div>
    </PlainPage>
  )
}
