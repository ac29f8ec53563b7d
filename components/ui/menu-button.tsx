'use client'
import { type ComponentType, type ReactNode, useRef, useState } from 'react'

export type MenuProps = { anchor: HTMLElement | null; open: boolean; onOpenChange: (open: boolean) => void }

/** A button whose menu is loaded when somebody is about to use it: menus are half of the script that a page would load. */
export function MenuButton<Extra extends object>({
  load,
  menu,
  children,
  className,
}: {
  load: () => Promise<ComponentType<MenuProps & Extra>>
  menu: Extra
  children: ReactNode
  className: string
}) {
  const button = useRef<HTMLButtonElement>(null)
  const [Loaded, setLoaded] = useState<ComponentType<MenuProps & Extra> | null>(null)
  const [open, setOpen] = useState(false)
  const prepare = () => {
    if (!Loaded) void load().then((component) => setLoaded(() => component))
  }
  return (
    <>
      <button
        ref={button}
        type="button"
        aria-haspopup="menu"
        aria-expanded={open}
        onPointerEnter={prepare}
        onFocus={prepare}
        onClick={() => {
          prepare()
          setOpen(true)
        }}
        className={className}
      >
        {children}
      </button>
      {Loaded && <Loaded {...menu} anchor={button.current} open={open} onOpenChange={setOpen} />}
    </>
  )
}
