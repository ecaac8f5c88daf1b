/** When a job that trains keeps a checkpoint, and which of them stay. */
import type { BlobId } from '../document/document';
import type { EngineHost } from './host';
import type { RunControls } from './run-controls';

/** Checkpoints that stay, besides those a person keeps. */
const RING = 3;
/** Time between checkpoints, ms, at least; longer where writing one takes long. */
const EVERY = 15_000;
/** A checkpoint may take this part of the time since the last. */
const SHARE = 0.01;

export class CheckpointClock {
  readonly #every: number;
  #since = 0;
  #took = 0;

  /** @param every  ms */
  constructor(every = EVERY) {
    this.#every = every;
  }

  /** Account for one step. @param ms  duration */
  step(ms: number): void {
    this.#since += ms;
  }

  written(ms: number): void {
    [this.#since, this.#took] = [0, ms];
  }

  get due(): boolean {
    return this.#since >= Math.max(this.#every, this.#took / SHARE);
  }
}

/** The checkpoints of one job. */
export class CheckpointRing {
  readonly #host: Pick<EngineHost, 'deleteBytes'>;
  readonly #controls: Pick<RunControls, 'keeps'>;
  readonly #ring: { readonly state: BlobId; readonly all: readonly BlobId[] }[] = [];

  constructor(host: Pick<EngineHost, 'deleteBytes'>, controls: Pick<RunControls, 'keeps'>) {
    this.#host = host;
    this.#controls = controls;
  }

  /**
   * @param more  what is stored with the state and goes with it
   * @returns     states of the older ones that were deleted to make room
   */
  async add(state: BlobId, ...more: BlobId[]): Promise<readonly BlobId[]> {
    this.#ring.push({ state, all: [state, ...more] });
    const dropped: BlobId[] = [];
    for (const old of this.#ring.filter((each) => !this.#controls.keeps(each.state)).slice(0, -RING)) {
      for (const id of old.all) await this.#host.deleteBytes(id);
      this.#ring.splice(this.#ring.indexOf(old), 1);
      dropped.push(old.state);
    }
    return dropped;
  }
}
