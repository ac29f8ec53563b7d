'use client'
import { useState } from 'react'

/** The person's picture over initials on neutral ground: what does not load, shows the initials. The name stands beside it. */
export function Avatar({ name, image, size = 20 }: { name: string; image?: string | null; size?: 16 | 20 | 24 }) {
  const [failed, setFailed] = useState<string | null>(null)
  const box = { width: size, height: size, fontSize: size === 16 ? 9 : size === 20 ? 10 : 11 }
  return (
    <span
      aria-hidden
      style={box}
      className="relative inline-grid shrink-0 place-items-center overflow-hidden rounded-full bg-surface-4 leading-none font-semibold text-fg-2"
    >
      {(name.trim()[0] ?? '?').toUpperCase()}
      {image && image !== failed && (
        // A plain img: a 20 px picture gains nothing from the optimizer, and its host differs with GitHub Enterprise.
        // biome-ignore lint/performance/noImgElement: see above
        <img
          src={image}
          alt=""
          referrerPolicy="no-referrer"
          // It may have failed before this program ran: then no error comes any more.
          ref={(img) => {
            if (img?.complete && img.naturalWidth === 0) setFailed(image)
          }}
          onError={() => setFailed(image)}
          className="absolute inset-0 size-full bg-surface-4 object-cover"
        />
      )}
    </span>
  )
}
