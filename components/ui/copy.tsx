'use client'
import { Check, Copy } from 'lucide-react'
import { useEffect, useState } from 'react'
import { Button } from './button.tsx'
import { cn } from './cn.ts'
import { notify } from './notify.ts'

/** Copies `text` and says so for two seconds; where the browser refuses, it says what to do instead. */
export function CopyButton({ text, label, isSmall = false }: { text: string; label: string; isSmall?: boolean }) {
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setCopied(false), 2000)
    return () => clearTimeout(timer)
  }, [isCopied])
  async function copy() {
    try {
      await navigator.clipboard.writeText(text)
      setCopied(true)
    } catch {
      notify('error', 'The browser did not allow copying: select the text and copy it with the keyboard.')
    }
  }
  return (
    <Button
      variant="ghost"
      size={isSmall ? 'iconSmall' : 'icon'}
      aria-label={isCopied ? 'Copied' : label}
      title={isCopied ? 'Copied' : label}
      onClick={copy}
    >
      {isCopied ? <Check aria-hidden size={14} className="text-ok" /> : <Copy aria-hidden size={14} />}
    </Button>
  )
}

/** One command to paste into a terminal, whole: a long one takes several lines. */
export function Command({ text, className }: { text: string; className?: string }) {
  return (
    <div
      className={cn(
        'flex min-h-9 items-start rounded-2 border border-line bg-surface-2 py-[3px] pr-1 pl-3 font-mono text-md',
        className,
      )}
    >
      <span aria-hidden className="mr-2 py-1 text-fg-3 select-none">
        $
      </span>
      <code className="min-w-0 flex-1 py-1 [overflow-wrap:anywhere]">{text}</code>
      <CopyButton text={text} label="Copy the command" />
    </div>
  )
}
