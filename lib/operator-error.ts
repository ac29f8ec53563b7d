/**
 * What stops a start or a command and is for the person who runs the control plane: one sentence that names the value at
 * fault and the next step. Printed without a stack; everything else that is thrown is a defect and keeps its stack.
 */
export class OperatorError extends Error {
  readonly code: string

  constructor(code: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'OperatorError'
    this.code = code
  }
}
