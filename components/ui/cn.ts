import { type ClassValue, clsx } from 'clsx'
import { extendTailwindMerge } from 'tailwind-merge'

const merge = extendTailwindMerge({
  extend: {
    theme: {
      radius: ['1', '2', '3', '4', '5'],
      shadow: ['node', 'overlay'],
      text: ['xs', 'sm', 'md', 'lg', 'xl', '2xl'],
    },
  },
})

/** Class names in one string; of two that contradict each other the later wins. */
export const cn = (...inputs: ClassValue[]): string => merge(clsx(inputs))
