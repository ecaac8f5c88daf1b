/** Every expected failure. `ui/error-messages.ts` must have a row for each: what happened, what is safe, one thing to do. */
export type ErrorCode =
  | 'NO_WEBGPU'
  | 'DEVICE_LOST'
  | 'OUT_OF_MEMORY'
  | 'WORKER_LOST'
  | 'BAD_FILE'
  | 'BAD_IMAGE'
  | 'BAD_REQUEST'
  | 'TOO_BIG'
  | 'UNSUPPORTED_MODEL'
  | 'BAD_MODEL'
  | 'MISSING_WEIGHT'
  | 'STORAGE_FULL'
  | 'NUMERIC'
  | 'GRAPH'
  | 'SHAPE'
  | 'NETWORK';

/** An error with a machine-readable code: the one class whose identity survives the thread boundary. */
export class AppError extends Error {
  override name = 'AppError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** For our own bugs: what must hold regardless of input. Bad input throws AppError instead. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
