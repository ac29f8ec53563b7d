/**
 * Class names in one string. Two of them must not contradict each other: a component that can look different takes that as a
 * property. (A program that resolves contradictions costs every page 8 kB.)
 */
export { clsx as cn } from 'clsx'
