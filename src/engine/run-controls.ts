import type { BlobId } from '../document/document';

/** What a person may ask of a job that trains; see `TrainingPort`. */
export class RunControls {
  readonly #finish = new AbortController();
  readonly #kept = new Set<BlobId>();
  #save = false;

  finish(): void {
    this.#finish.abort();
  }

  save(): void {
    this.#save = true;
  }

  keep(state: BlobId): void {
    this.#kept.add(state);
  }

  get finishing(): AbortSignal {
    return this.#finish.signal;
  }

  /** True once for every time a checkpoint was asked for. */
  takeSave(): boolean {
    const asked = this.#save;
    this.#save = false;
    return asked;
  }

  keeps(state: BlobId): boolean {
    return this.#kept.has(state);
  }
}
