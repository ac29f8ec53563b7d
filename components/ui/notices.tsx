'use client'
import { lazy, Suspense, useState } from 'react'
import { useNoticeCount } from './notify.ts'

const NoticeBoard = lazy(() => import('./notice-board.tsx').then((module) => ({ default: module.NoticeBoard })))

/** The place of notices; its program comes with the first of them. */
export function Notices() {
  const waiting = useNoticeCount()
  const [wasNeeded, setNeeded] = useState(false)
  if (waiting > 0 && !wasNeeded) setNeeded(true)
  return <Suspense>{wasNeeded && <NoticeBoard />}</Suspense>
}
