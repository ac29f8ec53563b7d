'use client'
import { type ReactNode, type RefObject, useEffect, useRef, useState } from 'react'

/** Farther from what is in sight than this, messages leave the page, px. */
const NEAR = 1500

/** Some neighbouring messages. While they are far away, their place stays as high as they were, and they are not in the page. */
export function FeedGroup({ box, children }: { box: RefObject<HTMLElement | null>; children: () => ReactNode }) {
  const place = useRef<HTMLDivElement>(null)
  const [height, setHeight] = useState<number | null>(null)
  useEffect(() => {
    const element = place.current
    if (!element) return
    const sight = new IntersectionObserver(
      ([entry]) => {
        if (!entry) return
        if (entry.isIntersecting) setHeight(null)
        else if (!element.contains(document.activeElement)) setHeight(entry.boundingClientRect.height)
      },
      { root: box.current, rootMargin: `${NEAR}px 0px` },
    )
    sight.observe(element)
    return () => sight.disconnect()
  }, [box])
  return (
    <div ref={place} style={height === null ? undefined : { height }}>
      {height === null && children()}
    </div>
  )
}
