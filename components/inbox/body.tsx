'use client'
import { useMemo, useState } from 'react'
import { bytes, count } from '../format/format.ts'
import { cn } from '../ui/cn.ts'
import { bodyParts, folded, isSlowToKern } from './body-text.ts'

/** What somebody wrote, as they wrote it and as nothing else: no markup, no pictures, nothing that is not seen. */
export function Body({ text, onUnfold }: { text: string; onUnfold: () => void }) {
  const [isWhole, setWhole] = useState(false)
  const beginning = folded(text)
  const shown = isWhole ? text : (beginning ?? text)
  const parts = useMemo(() => bodyParts(shown), [shown])
  return (
    <>
      <div
        className={cn(
          '[overflow-wrap:anywhere] whitespace-pre-wrap [contain:paint] [tab-size:4] [unicode-bidi:plaintext]',
          isSlowToKern(shown) && '[font-kerning:none]',
          beginning !== undefined &&
            !isWhole &&
            '[mask-image:linear-gradient(to_bottom,black_calc(100%-40px),transparent)]',
        )}
      >
        {parts.map((part, index) => {
          const key = index // the parts of one text never change places
          if (part.kind === 'text') return part.text
          if (part.kind === 'link')
            return (
              <a
                key={key}
                href={part.text}
                target="_blank"
                rel="noopener noreferrer"
                className="text-accent underline decoration-accent-line underline-offset-2 hover:decoration-accent"
              >
                {part.text}
              </a>
            )
          return (
            <span
              key={key}
              title="Characters that are not seen, by their names"
              className="mono mx-px rounded-1 bg-warn-soft px-1 text-warn"
            >
              {part.text}
            </span>
          )
        })}
      </div>
      {beginning !== undefined && (
        <button
          type="button"
          className="text-sm font-medium text-accent hover:underline"
          onClick={() => {
            onUnfold()
            setWhole(!isWhole)
          }}
        >
          {isWhole ? 'Show the beginning only' : `Show all ${sizeOf(text)}`}
        </button>
      )}
    </>
  )
}

function sizeOf(text: string): string {
  const lines = text.split('\n').length
  return lines > 14 ? `${count(lines)} lines` : bytes(new TextEncoder().encode(text).length)
}
