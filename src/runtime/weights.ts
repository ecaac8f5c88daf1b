import type { DType, Shape } from '../onnx/graph';
import { memoizePromise } from '../util/async';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import type { Backend } from './backend';
import { DeviceTensor, fromRaw, rawBytes, toRaw } from './tensor';

/** Where weights come from, e.g. a safetensors file: names are diffusers state-dict keys. May be asked for a name again. */
export interface WeightSource {
  readonly shapes: ReadonlyMap<string, Shape>;
  load(name: string): Promise<NdArray>;
}

export interface WeightStoreOptions {
  /** storage; float16 halves memory and needs `shader-f16` on WebGPU. Default float32 */
  readonly dtype?: 'float32' | 'float16';
  /** for messages, e.g. 'unet' */
  readonly label?: string;
}

/**
 * The weights of one component (or, as an overlay, what a concept changes in them), one copy each, shared by every
 * program that is fed them. Loaded on first use.
 */
export class WeightStore {
  readonly backend: Backend;
  readonly dtype: 'float32' | 'float16';
  readonly label: string;
  readonly #source: WeightSource;
  readonly #bases: readonly WeightStore[];
  #load: (name: string) => Promise<DeviceTensor>;
  readonly #resident = new Map<string, DeviceTensor>();
  /** name → programs that hold a copy as a constant */
  readonly #baked = new Map<string, number>();

  /** @param bases  stores beneath: whatever this one does not own is theirs, e.g. of a UNet and a text encoder together */
  constructor(
    backend: Backend,
    source: WeightSource,
    { dtype = 'float32', label = 'model' }: WeightStoreOptions = {},
    bases: readonly WeightStore[] = [],
  ) {
    this.backend = backend;
    this.dtype = dtype;
    this.label = label;
    this.#source = source;
    this.#bases = bases;
    this.#load = this.#loads();
  }

  /**
   * A view in which the names of `delta` are replaced and all others are this store's own tensors.
   *
   * @throws AppError MISSING_WEIGHT, SHAPE when a name or shape is not of this store
   */
  overlay(delta: WeightSource, label = `${this.label} overlay`): WeightStore {
    for (const [name, shape] of delta.shapes) {
      const known = this.shape(name);
      if (known.join() !== shape.join()) {
        throw new AppError('SHAPE', `${label} gives ${name} as [${shape}], ${this.label} has [${known}]`, {
          name,
        });
      }
    }
    return new WeightStore(this.backend, delta, { dtype: this.dtype, label }, [this]);
  }

  /** An overlay that starts as a copy of the named weights: what training changes while the base stays. */
  fork(names: Iterable<string>, label = `${this.label} copy`): WeightStore {
    const shapes = new Map([...names].map((name) => [name, this.shape(name)]));
    return this.overlay({ shapes, load: (name) => this.read(name) }, label);
  }

  /** True when the weight is this store's own, not its base's. */
  owns(name: string): boolean {
    return this.#source.shapes.has(name);
  }

  /** True when this store or one beneath it holds the weight. */
  has(name: string): boolean {
    return this.owns(name) || this.#bases.some((store) => store.has(name));
  }

  /** Names that differ from the store beneath; all of them for a store that is no overlay. */
  get names(): Iterable<string> {
    return this.#source.shapes.keys();
  }

  get isOverlay(): boolean {
    return this.#bases.length > 0;
  }

  /** @throws AppError MISSING_WEIGHT */
  shape(name: string): Shape {
    const store = this.owner(name);
    return store.#source.shapes.get(name)!;
  }

  /** The weight where networks run. @throws AppError MISSING_WEIGHT, OUT_OF_MEMORY, DEVICE_LOST */
  async tensor(name: string): Promise<DeviceTensor> {
    const store = this.owner(name);
    return store.#resident.get(name) ?? store.#load(name);
  }

  /** A copy on the host, in the numbers networks run with, resident or not. @throws AppError MISSING_WEIGHT, DEVICE_LOST */
  async read(name: string): Promise<NdArray> {
    const store = this.owner(name);
    const resident = store.#resident.get(name);
    if (resident) return resident.read();
    const array = await store.#source.load(name);
    if (store.dtype === 'float32') return array;
    return fromRaw(toRaw(array, store.dtype) as ArrayBufferView, array.shape, store.dtype);
  }

  /** Change a weight of this store; every program that is fed it sees the new values. @throws AppError as `changeable` */
  async update(name: string, value: NdArray): Promise<void> {
    await (await this.changeable(name)).write(value);
  }

  /**
   * Keep a weight of this store, values and all, in the given memory from now on: an optimiser's, which changes it there.
   * For float32 on CPU backends.
   *
   * @throws AppError SHAPE when the memory is of another size; as `changeable`
   */
  async moveTo(name: string, memory: Float32Array<ArrayBuffer>): Promise<void> {
    const before = await this.changeable(name);
    const after = DeviceTensor.over(this.backend, before.shape, memory, 'weights');
    await after.write(await before.read());
    before.dispose();
    this.#resident.set(name, after);
  }

  /**
   * The tensor of a weight that an optimiser changes in place.
   *
   * @throws AppError GRAPH when it belongs to a store beneath, or programs hold it as a constant; as `tensor`
   */
  async changeable(name: string): Promise<DeviceTensor> {
    if (!this.owns(name)) {
      throw new AppError(
        'GRAPH',
        `${name} belongs to the store beneath ${this.label}; fork it to change it`,
        { name },
      );
    }
    if (this.#baked.get(name)) {
      throw new AppError('GRAPH', `${name} is a constant of a compiled program; compile it as not frozen`, {
        name,
      });
    }
    return this.tensor(name);
  }

  /** The weight's bytes for a program to keep as constants; those weights can no longer change until `unbake`. */
  async bake(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const store = this.owner(name);
    const raw = rawBytes(toRaw(await this.read(name), store.dtype));
    store.#baked.set(name, (store.#baked.get(name) ?? 0) + 1);
    return raw;
  }

  unbake(name: string): void {
    const store = this.owner(name);
    store.#baked.set(name, store.#baked.get(name)! - 1);
  }

  /** Bytes resident for this store alone. */
  get bytes(): number {
    return [...this.#resident.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  dispose(): void {
    for (const tensor of this.#resident.values()) tensor.dispose();
    this.#resident.clear();
    // what is asked for after all is loaded anew, not found freed
    this.#load = this.#loads();
  }

  #loads(): (name: string) => Promise<DeviceTensor> {
    return memoizePromise((name) => this.#upload(name));
  }

  /** The store that holds the weight: this one or one beneath it. @throws AppError MISSING_WEIGHT */
  owner(name: string): WeightStore {
    if (this.owns(name)) return this;
    const base = this.#bases.find((store) => store.has(name));
    if (base) return base.owner(name);
    throw new AppError('MISSING_WEIGHT', `${this.label} has no weight called ${name}`, { name });
  }

  async #upload(name: string): Promise<DeviceTensor> {
    const array = await this.#source.load(name);
    const spec = { shape: this.shape(name), dtype: this.dtype satisfies DType };
    const tensor = await DeviceTensor.create(this.backend, spec, name, 'weights');
    await tensor.write(array);
    this.#resident.set(name, tensor);
    return tensor;
  }
}
