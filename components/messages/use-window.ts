'use client'
import { type RefObject, useCallback, useEffect, useState } from 'react'

/** Rows above and below the box that are in the page too, so that a quick scroll shows no gap. */
const AROUND = 12
/** What the first render assumes, before the box has a size, px. */
const FIRST_HEIGHT = 700

/** Which of `count` rows, all `height` px high, are near the visible part of `box`: from `first` to before `end`. */
export function useWindow(box: RefObject<HTMLElement | null>, { count, height }: { count: number; height: number }) {
  const [seen, setSeen] = useState({ first: 0, rows: Math.ceil(FIRST_HEIGHT / height) })
  const look = useCallback(() => {
    const element = box.current
    if (!element) return
    const first = Math.floor(element.scrollTop / height)
    const rows = Math.ceil(element.clientHeight / height) + 1
    setSeen((before) => (before.first === first && before.rows === rows ? before : { first, rows }))
  }, [box, height])
  useEffect(() => {
    const element = box.current
    if (!element) return
    const sizes = new ResizeObserver(look)
    sizes.observe(element)
    element.addEventListener('scroll', look, { passive: true })
    return () => {
      sizes.disconnect()
      element.removeEventListener('scroll', look)
    }
  }, [box, look])
  const reveal = useCallback(
    (index: number) => {
      const element = box.current
      if (!element) return
      const top = index * height
      const least = top + height - element.clientHeight
      if (element.scrollTop > top) element.scrollTop = top
      else if (element.scrollTop < least) element.scrollTop = least
    },
    [box, height],
  )
  const end = Math.min(count, seen.first + seen.rows + AROUND)
  return { first: Math.max(0, Math.min(seen.first - AROUND, end)), end, reveal }
}
