/** The product's mark: two ends and what goes between them. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" aria-hidden className="shrink-0 text-fg">
      <rect width="20" height="20" rx="5" fill="currentColor" />
      <g fill="none" stroke="var(--surface-0)" strokeWidth="1.7" strokeLinecap="round" strokeLinejoin="round">
        <path d="M4.6 10h2.2M9 10h5.6M11.4 6.6 14.8 10l-3.4 3.4" />
      </g>
    </svg>
  )
}
