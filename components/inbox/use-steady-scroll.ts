'use client'
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react'

/** Nearer to the end than this counts as there, px. */
const NEAR_END = 24

/**
 * Keeps a list still that grows at both ends. `box` scrolls and is `flex-col-reverse`, so its start is its end: at the end it
 * follows what comes, and everywhere else the first message in sight stays where it is, whatever grows above or below it.
 */
export function useSteadyScroll(box: RefObject<HTMLElement | null>, content: RefObject<HTMLElement | null>) {
  const anchor = useRef<{ element: Element; edge: 'top' | 'bottom'; at: number } | null>(null)
  const [isAtEnd, setAtEnd] = useState(true)

  const keep = useCallback((element: Element, edge: 'top' | 'bottom') => {
    anchor.current = { element, edge, at: element.getBoundingClientRect()[edge] }
    setAtEnd(false)
  }, [])

  /** This message is about to grow downwards, and its beginning is what one reads; also at the end. */
  const hold = useCallback((message: Element) => keep(message, 'top'), [keep])

  const follow = useCallback(() => {
    anchor.current = null
    setAtEnd(true)
  }, [])

  const note = useCallback(() => {
    const list = box.current
    if (!list) return
    if (list.scrollTop > -NEAR_END) {
      follow()
      return
    }
    const { top } = list.getBoundingClientRect()
    const messages = [...list.querySelectorAll('[data-message]')]
    const first = messages.find((message) => message.getBoundingClientRect().bottom > top)
    // Its end: what stands above its beginning, such as a date, goes when older messages come.
    if (first) keep(first, 'bottom')
  }, [box, follow, keep])

  const toEnd = useCallback(() => {
    follow()
    if (box.current) box.current.scrollTop = 0
  }, [box, follow])

  /** Puts this element at the top of the box. */
  const toTop = useCallback(
    (element: Element) => {
      const list = box.current
      if (!list) return
      list.scrollTop += element.getBoundingClientRect().top - list.getBoundingClientRect().top
      note()
    },
    [box, note],
  )

  useLayoutEffect(() => {
    const list = box.current
    const inner = content.current
    if (!list || !inner) return
    // After layout and before paint: nobody sees the list move.
    const sizes = new ResizeObserver(() => {
      const held = anchor.current
      if (!held?.element.isConnected) return
      const moved = held.element.getBoundingClientRect()[held.edge] - held.at
      if (Math.abs(moved) >= 1) list.scrollTop += moved
    })
    sizes.observe(list)
    sizes.observe(inner)
    return () => sizes.disconnect()
  }, [box, content])

  useEffect(() => {
    const list = box.current
    list?.addEventListener('scroll', note, { passive: true })
    return () => list?.removeEventListener('scroll', note)
  }, [box, note])

  return { isAtEnd, hold, toEnd, toTop }
}
