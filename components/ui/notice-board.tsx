'use client'
import { useEffect } from 'react'
import { Toaster, toast } from 'sonner'
import { takeNotices, useNoticeCount } from './notify.ts'

/** Shows what `notify` queued. Loaded with the first notice. */
export function NoticeBoard() {
  const waiting = useNoticeCount()
  useEffect(() => {
    if (waiting > 0) for (const { kind, text } of takeNotices()) toast[kind](text)
  }, [waiting])
  return (
    <Toaster
      position="bottom-right"
      toastOptions={{
        unstyled: true,
        classNames: {
          toast:
            'flex w-full items-center gap-2 rounded-3 bg-raised px-3 py-2.5 font-sans text-md text-fg shadow-overlay [&_svg]:size-4',
          error: '[&_[data-icon]]:text-fail',
          success: '[&_[data-icon]]:text-ok',
        },
      }}
    />
  )
}
