import { cva, type VariantProps } from 'class-variance-authority'
import type { ComponentProps } from 'react'
import { cn } from './cn.ts'

/** For links that look like buttons, too. */
export const buttonStyles = cva(
  'inline-flex shrink-0 items-center justify-center gap-1.5 rounded-2 border font-medium whitespace-nowrap transition-colors duration-120 select-none aria-disabled:cursor-default aria-disabled:border-line aria-disabled:bg-surface-3 aria-disabled:text-fg-3 aria-disabled:shadow-none [&_svg]:shrink-0',
  {
    variants: {
      variant: {
        secondary: 'border-line bg-raised text-fg shadow-node hover:bg-surface-3 [&_svg]:text-fg-2',
        primary: 'border-ink bg-ink text-on-ink shadow-node hover:border-ink-hover hover:bg-ink-hover',
        ghost: 'border-transparent text-fg-2 hover:bg-surface-3 hover:text-fg',
        link: 'border-transparent text-accent hover:bg-surface-3',
        danger: 'border-fail bg-fail-soft text-fail hover:border-fail-fill',
      },
      size: {
        md: 'h-7 px-2.5',
        lg: 'h-8 px-3',
        xl: 'h-10 px-3',
        icon: 'size-7',
        iconSmall: 'size-6',
        touch: 'size-11',
      },
    },
    defaultVariants: { variant: 'secondary', size: 'md' },
  },
)

type Props = ComponentProps<'button'> & VariantProps<typeof buttonStyles>

/** `aria-disabled` keeps it reachable, so that it can say why; its click then does nothing. */
export function Button({ className, variant, size, onClick, type = 'button', ...props }: Props) {
  const isDisabled = props['aria-disabled'] === true || props['aria-disabled'] === 'true'
  return (
    <button
      type={type}
      className={cn(buttonStyles({ variant, size }), className)}
      onClick={isDisabled ? (event) => event.preventDefault() : onClick}
      {...props}
    />
  )
}
