import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { encode, requiredInputs } from '../onnx/encode';
import type { Graph, Value } from '../onnx/graph';
import { AppError } from '../util/errors';
import { createLogger } from '../util/log';
import type { NdArray } from '../util/nd-array';
import type { Backend } from './backend';
import { refusedByGpu } from './placement';
import { byteSize, DeviceTensor, fromHostTensor, fromRaw, hostTensor } from './tensor';
import type { WeightStore } from './weights';

const log = createLogger('runtime');

export interface CompileOptions {
  /**
   * Weights that will not change while the program lives. CPU backends bake them into the session, which runs faster
   * (README, decisions); WebGPU feeds the shared buffers whatever this says. Default: all, or for an overlay all that
   * it does not own.
   */
  readonly frozen?: (name: string) => boolean;
  /** WebGPU: record the commands of the first run and replay them. Only the program's own buffers can then be used. */
  readonly capture?: boolean;
  /** for messages */
  readonly label?: string;
}

export interface RunOptions {
  /** Weights to use instead of the ones compiled with: an overlay of them (or the base beneath). */
  readonly weights?: WeightStore;
}

/** ORT tensors by graph name. */
type Tensors = Readonly<Record<string, Tensor>>;

export type Arrays = Readonly<Record<string, NdArray>>;
export type DeviceTensors = Readonly<Record<string, DeviceTensor>>;

/**
 * Make a graph runnable: prune it to what the outputs need, check it against the weights, create the session.
 *
 * @param outputs  what `run` returns, by the name it returns it under
 * @param weights  bound by state-dict key; its backend is where the program runs
 * @throws AppError GRAPH for a feed that no output depends on or, on WebGPU, a node without a GPU kernel;
 *         MISSING_WEIGHT or SHAPE for a weight; OUT_OF_MEMORY; DEVICE_LOST
 */
export async function compile(
  graph: Graph,
  outputs: Readonly<Record<string, Value>>,
  weights: WeightStore,
  options: CompileOptions = {},
): Promise<Program> {
  const inputs = requiredInputs(graph, Object.values(outputs));
  const unused = graph.feeds.filter((feed) => !inputs.feeds.includes(feed));
  if (unused.length) {
    // each would cost a copy back from the GPU on every run
    const names = unused.map(({ name }) => name);
    throw new AppError('GRAPH', `no output depends on ${names.join(', ')}`, { names });
  }
  if (new Set(Object.values(outputs)).size < Object.keys(outputs).length) {
    throw new AppError('GRAPH', `two outputs are one value: ${Object.keys(outputs).join(', ')}`);
  }
  for (const { name, shape, dtype } of inputs.weights) {
    const stored = weights.shape(name);
    if (stored.join() !== shape.join() || dtype !== weights.dtype) {
      const [want, have] = [`${dtype}[${shape}]`, `${weights.dtype}[${stored}]`];
      throw new AppError('SHAPE', `${weights.label} holds ${name} as ${have}, the graph uses ${want}`, {
        name,
      });
    }
  }
  const program = new Program(graph, outputs, inputs, weights, options);
  await program.prepare();
  return program;
}

/** A compiled graph. Runs are queued: calls may overlap, also with those of other programs. */
export class Program {
  readonly label: string;
  readonly feeds: readonly Value[];
  readonly outputs: Readonly<Record<string, Value>>;
  readonly #graph: Graph;
  readonly #weights: WeightStore;
  readonly #backend: Backend;
  readonly #capture: boolean;
  /** weights that stay inputs, and those that became constants */
  readonly #fed: readonly string[];
  readonly #baked: readonly string[];
  readonly #bakedBytes: number;
  #session: InferenceSession | null = null;
  /** WebGPU: where `run` puts its feeds and finds its results; shapes are static, so they are made once */
  #own: { readonly feeds: DeviceTensors; readonly outputs: DeviceTensors } | null = null;
  /** the tensors a recorded run replays with */
  #captured: ReadonlyMap<string, Tensor> | null = null;

  constructor(
    graph: Graph,
    outputs: Readonly<Record<string, Value>>,
    inputs: { readonly feeds: readonly Value[]; readonly weights: readonly Value[] },
    weights: WeightStore,
    { frozen = (name) => !(weights.isOverlay && weights.owns(name)), capture = false, label }: CompileOptions,
  ) {
    this.#graph = graph;
    this.outputs = outputs;
    this.feeds = inputs.feeds;
    this.#weights = weights;
    this.#backend = weights.backend;
    this.#capture = capture && this.#backend.device !== null;
    this.label = label ?? weights.label;
    const bakes = (value: Value) => this.#backend.device === null && frozen(value.name);
    this.#fed = inputs.weights.filter((value) => !bakes(value)).map(({ name }) => name);
    const baked = inputs.weights.filter(bakes);
    this.#baked = baked.map(({ name }) => name);
    this.#bakedBytes = baked.reduce((sum, value) => sum + byteSize(value), 0);
  }

  /** Create the session and buffers. Called by `compile`. */
  async prepare(): Promise<void> {
    const { device } = this.#backend;
    if (device) {
      this.#own = {
        feeds: await this.#createTensors(Object.fromEntries(this.feeds.map((feed) => [feed.name, feed]))),
        outputs: await this.#createTensors(this.outputs),
      };
    }
    await this.#backend.exclusive(() => this.#createSession());
  }

  /**
   * Run once.
   *
   * @param feeds  every feed of the graph, by name
   * @returns      every output, on the host
   * @throws AppError SHAPE for a missing, unknown or wrongly shaped feed; DEVICE_LOST; OUT_OF_MEMORY; GRAPH when a
   *         kernel fails (the program stays usable)
   */
  async run(feeds: Arrays, options: RunOptions = {}): Promise<Record<string, NdArray>> {
    this.#checkFeeds(feeds);
    const weights = await this.#weightTensors(options.weights);
    return this.#backend.exclusive(async () => {
      const { device } = this.#backend;
      if (!device || !this.#own) {
        const results = await this.#call(this.#hostFeeds(feeds), weights, {});
        return this.#named((value) => fromHostTensor(results[value.name]!, value));
      }
      const own = this.#own;
      await Promise.all(this.feeds.map(({ name }) => own.feeds[name]!.write(feeds[name]!)));
      await this.#call(ortTensors(own.feeds), weights, this.#fetches(own.outputs));
      const names = Object.keys(this.outputs);
      const bytes = await device.read(names.map((name) => own.outputs[name]!));
      return Object.fromEntries(
        names.map((name, i) => {
          const { shape, dtype } = this.outputs[name]!;
          return [name, fromRaw(new Uint8Array(bytes[i]!), shape, dtype)];
        }),
      );
    });
  }

  /**
   * Run once on tensors where they are, with no copy to or from the host.
   *
   * @param feeds    every feed of the graph; with `capture` exactly the ones of `ownTensors`
   * @param outputs  where results go, by output name; created (for the caller to dispose) where left out
   * @throws AppError as `run`; GRAPH when a tensor is both read and written, or is not the one that was captured
   */
  async runDevice(
    feeds: DeviceTensors,
    outputs: DeviceTensors = {},
    options: RunOptions = {},
  ): Promise<DeviceTensors> {
    this.#checkFeeds(feeds);
    const missing = Object.entries(this.outputs).filter(([name]) => !outputs[name]);
    const created = this.#capture ? {} : await this.#createTensors(Object.fromEntries(missing));
    const targets = { ...(this.#capture && this.#own?.outputs), ...outputs, ...created };
    const weights = await this.#weightTensors(options.weights);
    return this.#backend.exclusive(async () => {
      const results = await this.#call(ortTensors(feeds), weights, this.#fetches(targets));
      if (!this.#backend.device) {
        // the Node and WASM runtimes return host tensors of their own
        await Promise.all(
          Object.entries(this.outputs).map(([name, value]) =>
            targets[name]!.write(fromHostTensor(results[value.name]!, value)),
          ),
        );
      }
      return targets;
    });
  }

  /** The fixed buffers of a WebGPU program: write feeds here and read outputs here when it captures. */
  get ownTensors(): { readonly feeds: DeviceTensors; readonly outputs: DeviceTensors } | null {
    return this.#own;
  }

  /** Frees the session and the program's own buffers, after runs already asked for. */
  async dispose(): Promise<void> {
    await this.#backend.exclusive(() => this.#release());
    for (const tensor of Object.values({ ...this.#own?.feeds })) tensor.dispose();
    for (const tensor of Object.values({ ...this.#own?.outputs })) tensor.dispose();
    this.#own = null;
  }

  async #createSession(): Promise<InferenceSession> {
    const { ort, sessionOptions, device, memory } = this.#backend;
    device?.check();
    const outputs = Object.values(this.outputs);
    const external = new Set(this.#baked);
    const model = encode(this.#graph, outputs, { external: (name) => external.has(name) });
    const started = performance.now();
    const externalData = await Promise.all(
      this.#baked.map(async (name) => {
        const { buffer, byteOffset, byteLength } = await this.#weights.bake(name);
        return { path: name, data: new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength) };
      }),
    );
    try {
      this.#session = await ort.InferenceSession.create(model, {
        ...sessionOptions,
        ...(externalData.length && { externalData }),
        ...(device && {
          preferredOutputLocation: 'gpu-buffer' as const,
          enableGraphCapture: this.#capture,
          extra: { session: { disable_cpu_ep_fallback: '1' } },
        }),
      });
    } catch (error) {
      for (const name of this.#baked) this.#weights.unbake(name);
      if (/fallback to CPU EP has been explicitly disabled/.test(String(error))) {
        const ops = await refusedByGpu(this.#backend, this.#graph, outputs);
        throw new AppError('GRAPH', `${this.label}: WebGPU has no kernel for ${ops.join(', ')}`, { ops });
      }
      throw this.#described(error);
    }
    memory.add('sessions', 1);
    memory.add('baked', this.#bakedBytes);
    log.debug(`${this.label}: session created in ${Math.round(performance.now() - started)} ms`);
    return this.#session;
  }

  async #release(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    this.#session = null;
    this.#captured = null;
    for (const name of this.#baked) this.#weights.unbake(name);
    this.#backend.memory.add('sessions', -1);
    this.#backend.memory.add('baked', -this.#bakedBytes);
    await session.release();
  }

  /** Inside the mutex: one ORT run. After a failure the session is replaced: ORT would repeat the old error for ever. */
  async #call(feeds: Tensors, weights: Tensors, fetches: Tensors): Promise<Tensors> {
    const { device } = this.#backend;
    device?.check();
    const session = this.#session ?? (await this.#createSession());
    this.#checkBindings({ ...feeds, ...weights }, fetches);
    try {
      const names = Object.values(this.outputs).map(({ name }) => name);
      const running = session.run({ ...feeds, ...weights }, device ? fetches : names);
      const results = await (device ? device.orLost(running) : running);
      device?.check();
      return results;
    } catch (error) {
      await this.#release().catch((failure) => log.warn(`${this.label}: release failed`, failure));
      throw this.#described(error);
    }
  }

  #checkFeeds(feeds: Readonly<Record<string, NdArray | DeviceTensor>>): void {
    const unknown = Object.keys(feeds).filter((name) => !this.feeds.some((feed) => feed.name === name));
    if (unknown.length) {
      throw new AppError('SHAPE', `${this.label} takes no ${unknown.join(', ')}`, { names: unknown });
    }
    for (const { name, shape, dtype } of this.feeds) {
      const given = feeds[name];
      if (!given) throw new AppError('SHAPE', `${this.label} needs a value for ${name}`, { name });
      if (given.shape.join() !== shape.join() || (given instanceof DeviceTensor && given.dtype !== dtype)) {
        const have = given instanceof DeviceTensor ? `${given.dtype}[${given.shape}]` : `[${given.shape}]`;
        throw new AppError('SHAPE', `${name} must be ${dtype}[${shape}], not ${have}`, { name });
      }
    }
  }

  /** ORT would fail late (a buffer read and written at once) or silently replay old buffers (capture). */
  #checkBindings(inputs: Tensors, fetches: Tensors): void {
    if (!this.#backend.device) return;
    const written = new Map(Object.entries(fetches).map(([name, { gpuBuffer }]) => [gpuBuffer, name]));
    for (const [name, { gpuBuffer }] of Object.entries(inputs)) {
      const output = written.get(gpuBuffer);
      if (output) {
        throw new AppError('GRAPH', `${this.label} cannot read ${name} and write ${output} in one buffer`, {
          name,
        });
      }
    }
    if (!this.#capture) return;
    const bound = new Map(Object.entries({ ...inputs, ...fetches }));
    this.#captured ??= bound;
    for (const [name, tensor] of bound) {
      if (this.#captured.get(name)?.gpuBuffer !== tensor.gpuBuffer) {
        throw new AppError('GRAPH', `${this.label} was captured with another buffer for ${name}`, { name });
      }
    }
  }

  async #weightTensors(weights = this.#weights): Promise<Tensors> {
    for (const name of this.#baked) {
      if (weights.owner(name) !== this.#weights.owner(name)) {
        throw new AppError('GRAPH', `${this.label} has ${name} as a constant; compile it as not frozen`, {
          name,
        });
      }
    }
    const tensors = await Promise.all(this.#fed.map((name) => weights.tensor(name)));
    return Object.fromEntries(this.#fed.map((name, i) => [name, tensors[i]!.ort]));
  }

  #hostFeeds(feeds: Arrays): Tensors {
    return Object.fromEntries(
      this.feeds.map((feed) => [feed.name, hostTensor(this.#backend, feed, feeds[feed.name]!)]),
    );
  }

  async #createTensors(specs: Readonly<Record<string, Value>>): Promise<DeviceTensors> {
    const tensors: Record<string, DeviceTensor> = {};
    for (const [name, spec] of Object.entries(specs)) {
      tensors[name] = await DeviceTensor.create(this.#backend, spec, `${this.label} ${name}`);
    }
    return tensors;
  }

  #fetches(targets: DeviceTensors): Tensors {
    return Object.fromEntries(
      Object.entries(this.outputs).map(([name, value]) => [value.name, targets[name]!.ort]),
    );
  }

  #named<T>(each: (value: Value) => T): Record<string, T> {
    return Object.fromEntries(Object.entries(this.outputs).map(([name, value]) => [name, each(value)]));
  }

  #described(error: unknown): AppError {
    if (error instanceof AppError) return error;
    const message = error instanceof Error ? error.message : String(error);
    const memory = /out of memory|bad_alloc|failed to allocate|allocation failed|Aborted\(/i.test(message);
    return new AppError(memory ? 'OUT_OF_MEMORY' : 'GRAPH', `${this.label}: ${message}`);
  }
}

const ortTensors = (tensors: DeviceTensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, { ort }]) => [name, ort]));
