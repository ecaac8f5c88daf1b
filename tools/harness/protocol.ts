/** Between Node, the harness page and its worker: plain data and typed arrays. */

/** What a module for the harness exports as `run`: one input, one result, events on the way. */
export type BrowserFunction<Input, Event, Output> = (
  input: Input,
  emit: (event: Event) => void,
) => Promise<Output>;

export interface Call {
  readonly id: number;
  /** path from the repository's root */
  readonly module: string;
  readonly input: unknown;
}

export type Message =
  | { readonly id: number; readonly event: unknown }
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly error: ErrorData };

export interface ErrorData {
  readonly message: string;
  readonly stack: string;
  /** of an AppError */
  readonly code?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}
