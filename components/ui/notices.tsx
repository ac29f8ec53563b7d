'use client'
import dynamic from 'next/dynamic'
import { useState } from 'react'
import { useNoticeCount } from './notify.ts'

const NoticeBoard = dynamic(() => import('./notice-board.tsx').then((module) => module.NoticeBoard), { ssr: false })

/** The place of notices; its program comes with the first of them. */
export function Notices() {
  const waiting = useNoticeCount()
  const [wasNeeded, setNeeded] = useState(false)
  if (waiting > 0 && !wasNeeded) setNeeded(true)
  return wasNeeded ? <NoticeBoard /> : null
}
