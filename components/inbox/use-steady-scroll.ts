'use client'
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react'

/** Nearer to the end than this counts as there, px. */
const NEAR_END = 24

/**
 * Keeps a list still that grows at both ends. `box` scrolls and is `flex-col-reverse`, so its start is its end: at the end it
 * follows what comes, and everywhere else the first message in sight stays where it is, whatever grows above or below it.
 */
export function useSteadyScroll(box: RefObject<HTMLElement | null>, content: RefObject<HTMLElement | null>) {
  const anchor = useRef<{ element: Element; top: number } | null>(null)
  const [isAtEnd, setAtEnd] = useState(true)

  const keep = useCallback((element: Element | undefined) => {
    anchor.current = element ? { element, top: element.getBoundingClientRect().top } : null
    setAtEnd(!element)
  }, [])

  /** The first message in sight is what one reads, from now on also at the end. */
  const hold = useCallback(() => {
    const element = box.current
    if (!element) return
    const top = element.getBoundingClientRect().top
    const messages = [...element.querySelectorAll('[data-message]')]
    keep(messages.find((message) => message.getBoundingClientRect().bottom > top))
  }, [box, keep])

  const note = useCallback(() => {
    const element = box.current
    if (!element) return
    if (element.scrollTop > -NEAR_END) keep(undefined)
    else hold()
  }, [box, keep, hold])

  const toEnd = useCallback(() => {
    keep(undefined)
    if (box.current) box.current.scrollTop = 0
  }, [box, keep])

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
      const moved = held.element.getBoundingClientRect().top - held.top
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
