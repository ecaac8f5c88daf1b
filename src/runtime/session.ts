import { requiredInputs } from '../onnx/encode';
import type { Graph, Value } from '../onnx/graph';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import type { Backend } from './backend';
import { OrtSession, type OrtTensors } from './ort-session';
import { DeviceTensor, fromHostTensor, fromRaw, hostTensor } from './tensor';
import type { WeightStore } from './weights';
import { type Derived, lowerConvolutions } from './winograd';

export interface CompileOptions {
  /**
   * Weights that will not change while the program lives: they become constants of the session, which runs faster on
   * CPU backends (README, decisions). Default: on CPU backends all, or for an overlay all that it does not own; on
   * WebGPU none, so that every session shares one buffer.
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

export type Arrays = Readonly<Record<string, NdArray>>;
export type DeviceTensors = Readonly<Record<string, DeviceTensor>>;

/**
 * Make a graph runnable: prune it to what the outputs need, check it against the weights, create the session.
 *
 * @param outputs  what `run` returns, by the name it returns it under
 * @param weights  bound by state-dict key; its backend is where the program runs
 * Feeds that no output depends on are left out (each would cost a copy back from the GPU on every run): `program.feeds`
 * are the ones to give.
 *
 * @throws AppError GRAPH for a node without a GPU kernel, on WebGPU; MISSING_WEIGHT or SHAPE for a weight; OUT_OF_MEMORY; DEVICE_LOST
 */
export async function compile(
  graph: Graph,
  outputs: Readonly<Record<string, Value>>,
  weights: WeightStore,
  options: CompileOptions = {},
): Promise<Program> {
  const inputs = requiredInputs(graph, Object.values(outputs));
  if (new Set(Object.values(outputs)).size < Object.keys(outputs).length) {
    throw new AppError('GRAPH', `two outputs are one value: ${Object.keys(outputs).join(', ')}`);
  }
  if (options.capture) refuseViews(graph, outputs);
  for (const { name, shape, dtype } of inputs.weights) {
    const stored = weights.shape(name);
    const storedAs = weights.owner(name).dtype;
    if (stored.join() !== shape.join() || dtype !== storedAs) {
      const [want, have] = [`${dtype}[${shape}]`, `${storedAs}[${stored}]`];
      throw new AppError('SHAPE', `${weights.label} holds ${name} as ${have}, the graph uses ${want}`, {
        name,
      });
    }
  }
  const program = new Program(graph, outputs, inputs, weights, options);
  await program.prepare();
  return program;
}

/** Ops that move no data inside a graph, but as its last node become a buffer copy, which a recording leaves out. */
const VIEWS = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity']);

/** @throws AppError GRAPH: replayed, such an output would keep what its buffer happened to hold */
function refuseViews(graph: Graph, outputs: Readonly<Record<string, Value>>): void {
  for (const [name, value] of Object.entries(outputs)) {
    const op = graph.nodes.find((node) => node.outputs.includes(value))?.op;
    if (op === undefined || !VIEWS.has(op)) continue;
    throw new AppError('GRAPH', `output ${name} ends in ${op}, which a captured program does not replay`, {
      name,
    });
  }
}

/** A compiled graph. Runs are queued: calls may overlap, also with those of other programs. */
export class Program {
  readonly label: string;
  readonly feeds: readonly Value[];
  readonly outputs: Readonly<Record<string, Value>>;
  readonly #weights: WeightStore;
  readonly #backend: Backend;
  readonly #session: OrtSession;
  /** weights that stay inputs, and those that became constants */
  readonly #fed: readonly Value[];
  readonly #baked: readonly Value[];
  readonly #capture: boolean;
  /** WebGPU: where `run` puts its feeds and finds its results; shapes are static, so they are made once, when first needed */
  #own: { readonly feeds: DeviceTensors; readonly outputs: DeviceTensors } | null = null;

  constructor(
    graph: Graph,
    outputs: Readonly<Record<string, Value>>,
    inputs: { readonly feeds: readonly Value[]; readonly weights: readonly Value[] },
    weights: WeightStore,
    { frozen = frozenByDefault(weights), capture = false, label }: CompileOptions,
  ) {
    const { backend } = weights;
    const bakes = ({ name }: Value) => frozen(name);
    this.label = label ?? weights.label;
    this.feeds = inputs.feeds;
    this.outputs = outputs;
    this.#weights = weights;
    this.#backend = backend;
    this.#fed = inputs.weights.filter((value) => !bakes(value));
    this.#baked = inputs.weights.filter(bakes);
    this.#capture = capture && backend.device !== null;
    const lowered =
      backend.name === 'wasm'
        ? lowerConvolutions(graph, frozen)
        : { graph, derived: new Map<string, Derived>() };
    const { derived } = lowered;
    this.#session = new OrtSession({
      ...lowered,
      outputs: Object.values(outputs),
      weights,
      baked: requiredInputs(lowered.graph, Object.values(outputs)).weights.filter(({ name }) =>
        frozen(derived.get(name)?.from ?? name),
      ),
      capture: this.#capture,
      label: this.label,
    });
  }

  /** Create the session and buffers, load weights. Called by `compile`. */
  async prepare(): Promise<void> {
    await this.#weightTensors(this.#weights);
    await this.#backend.exclusive(() => this.#session.open());
    if (this.#capture) this.#own = await this.#createOwn();
  }

  async #createOwn(): Promise<NonNullable<typeof this.ownTensors>> {
    const byName = Object.fromEntries(this.feeds.map((feed) => [feed.name, feed]));
    const feeds = await this.#createTensors(byName);
    return { feeds, outputs: this.#capture ? {} : await this.#createTensors(this.outputs) };
  }

  /**
   * Run once.
   *
   * @param feeds  every one of `this.feeds`, by name
   * @returns      every output, on the host
   * @throws AppError SHAPE for a missing, unknown or wrongly shaped feed; DEVICE_LOST; OUT_OF_MEMORY; GRAPH when a
   *         kernel fails (the program stays usable)
   */
  async run(feeds: Arrays, options: RunOptions = {}): Promise<Record<string, NdArray>> {
    this.#checkFeeds(feeds);
    const weights = await this.#weightTensors(options.weights ?? this.#weights);
    return this.#backend.exclusive(async () => {
      const { device } = this.#backend;
      if (!device) {
        const results = await this.#session.call({ ...this.#hostFeeds(feeds), ...weights }, {});
        return this.#named((value) => fromHostTensor(results[value.name]!, value));
      }
      this.#own ??= await this.#createOwn();
      const own = this.#own;
      await Promise.all(this.feeds.map(({ name }) => own.feeds[name]!.write(feeds[name]!)));
      const outputs = await this.#callOnDevice({ ...ortTensors(own.feeds), ...weights }, own.outputs);
      const names = Object.keys(this.outputs);
      const bytes = await device.read(names.map((name) => outputs[name]!));
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
   * @param feeds    every one of `this.feeds`; with `capture` those of `ownTensors`
   * @param outputs  where results go, by output name; created (for the caller to dispose) where left out. With `capture`
   *                 none can be given: results are the program's own, the same tensors in every run unless one failed
   * @throws AppError as `run`; GRAPH when a tensor is both read and written, or is not the one that was captured
   */
  async runDevice(
    feeds: DeviceTensors,
    outputs: DeviceTensors = {},
    options: RunOptions = {},
  ): Promise<DeviceTensors> {
    this.#checkFeeds(feeds);
    if (this.#capture && Object.keys(outputs).length > 0) {
      throw new AppError('GRAPH', `${this.label} is captured and writes results of its own`);
    }
    const missing = Object.entries(this.outputs).filter(([name]) => !this.#capture && !outputs[name]);
    const targets = { ...outputs, ...(await this.#createTensors(Object.fromEntries(missing))) };
    const weights = await this.#weightTensors(options.weights ?? this.#weights);
    return this.#backend.exclusive(async () => {
      const inputs = { ...ortTensors(feeds), ...weights };
      if (this.#backend.device) return this.#callOnDevice(inputs, targets);
      // the Node and WASM runtimes return host tensors of their own
      const results = await this.#session.call(inputs, {});
      await Promise.all(
        Object.entries(this.outputs).map(([name, value]) =>
          targets[name]!.write(fromHostTensor(results[value.name]!, value)),
        ),
      );
      return targets;
    });
  }

  /** @returns the targets, or where a captured run writes */
  async #callOnDevice(inputs: OrtTensors, targets: DeviceTensors): Promise<DeviceTensors> {
    if (!this.#capture) {
      await this.#session.call(inputs, this.#targets(targets));
      return targets;
    }
    const results = await this.#session.call(inputs, {});
    const own = this.#own!;
    const isNew = Object.entries(this.outputs).some(
      ([name, v]) => own.outputs[name]?.ort !== results[v.name],
    );
    const outputs = isNew
      ? this.#named((value) => DeviceTensor.borrowed(this.#backend, value, results[value.name]!))
      : own.outputs;
    this.#own = { ...own, outputs };
    return outputs;
  }

  /** WebGPU: the tensors that `run` uses, once it has run. A program that captures has its feeds at once and runs on these only. */
  get ownTensors(): { readonly feeds: DeviceTensors; readonly outputs: DeviceTensors } | null {
    return this.#own;
  }

  /** Frees the session and the program's own buffers, after runs already asked for. */
  async dispose(): Promise<void> {
    await this.#backend.exclusive(() => this.#session.release());
    for (const tensor of Object.values({ ...this.#own?.feeds })) tensor.dispose();
    for (const tensor of Object.values({ ...this.#own?.outputs })) tensor.dispose();
    this.#own = null;
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

  async #weightTensors(weights: WeightStore): Promise<OrtTensors> {
    for (const { name } of this.#baked) {
      if (weights.owner(name) !== this.#weights.owner(name)) {
        throw new AppError('GRAPH', `${this.label} has ${name} as a constant; compile it as not frozen`, {
          name,
        });
      }
    }
    const tensors = await Promise.all(this.#fed.map(({ name }) => weights.tensor(name)));
    return Object.fromEntries(this.#fed.map(({ name }, i) => [name, tensors[i]!.ort]));
  }

  #hostFeeds(feeds: Arrays): OrtTensors {
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

  #targets(targets: DeviceTensors): OrtTensors {
    return Object.fromEntries(
      Object.entries(this.outputs).map(([name, value]) => [value.name, targets[name]!.ort]),
    );
  }

  #named<T>(each: (value: Value) => T): Record<string, T> {
    return Object.fromEntries(Object.entries(this.outputs).map(([name, value]) => [name, each(value)]));
  }
}

const frozenByDefault =
  (weights: WeightStore) =>
  (name: string): boolean =>
    weights.backend.device === null && !(weights.isOverlay && weights.owns(name));

const ortTensors = (tensors: DeviceTensors): OrtTensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, { ort }]) => [name, ort]));
