/** Clipping and the optimiser as compute shaders, which change weights and moments where they are. */
import type { Backend } from '../runtime/backend';
import { type Binding, type Dispatch, dispatch, Kernel } from '../runtime/kernel';
import { DeviceTensor } from '../runtime/tensor';
import { sizeOf } from '../util/nd-array';
import type { Optimiser, Slots } from './optimiser';
import type { StepOptions } from './trainer';

/** What the update of one weight changes: tensors of equal length, in float32. */
interface Updated {
  readonly weight: DeviceTensor;
  /** in the order of the optimiser's slots */
  readonly slots: readonly DeviceTensor[];
}

export interface DeviceOptimiser {
  /** [norm of all gradients before clipping, factor of gradients, 1 or 0 when one was not finite] of the last update */
  readonly control: DeviceTensor;
  /**
   * Change weights and slots, after all earlier commands; nothing changes when a gradient is not finite.
   *
   * @param gradients  d(lossScale·loss) / d weight, in the order of the weights; cheapest when the same as last time
   */
  update(gradients: readonly DeviceTensor[], scalars: Slots<number>): Promise<void>;
  dispose(): void;
}

/** Invocations of a workgroup. */
const GROUP = 64;
/** Values that an invocation sums before a gradient gets one more workgroup, and the most workgroups it gets. */
const [PER_INVOCATION, MAX_SUM_GROUPS] = [64, 32];
/** The most that may be asked for; beyond it an invocation updates several values. */
const MAX_UPDATE_GROUPS = 65_535;
/** Invocations that add up all partial sums, in one workgroup. */
const TOTAL_GROUP = 256;

/** @throws AppError OUT_OF_MEMORY, DEVICE_LOST */
export async function deviceOptimiser(
  backend: Backend,
  optimiser: Optimiser,
  updated: readonly Updated[],
  options: Pick<StepOptions, 'maxGradNorm' | 'lossScale'>,
): Promise<DeviceOptimiser> {
  const device = backend.device!;
  const [square, total, apply] = await Promise.all([
    Kernel.compile(device, 'sums of squares', SUM_SQUARES),
    Kernel.compile(device, 'gradient norm', limitSource(options)),
    Kernel.compile(device, 'optimiser', updateSource(optimiser)),
  ]);
  const sizes = updated.map(({ weight }) => sizeOf(weight.shape));
  const sums = sizes.map((size) => Math.min(MAX_SUM_GROUPS, Math.ceil(size / (GROUP * PER_INVOCATION))));
  const floats = (name: string, length: number): Promise<DeviceTensor> =>
    DeviceTensor.create(backend, { shape: [length], dtype: 'float32' }, name);
  const partials = await floats('sums of squares', GROUP * sums.reduce((a, b) => a + b, 0));
  const control = await floats('gradient norm', 3);
  const scalars = await floats('optimiser scalars', optimiser.scalars.length);

  let offset = 0;
  const parts = sums.map((groups): Binding => {
    // a whole number of workgroups' sums is as aligned as bindings must be
    const part = { buffer: partials.buffer, bytes: groups * GROUP * 4, offset };
    offset += part.bytes;
    return part;
  });
  const commands = (gradients: readonly DeviceTensor[]): readonly Dispatch[] => [
    ...gradients.map((gradient, i) => square.on([gradient, parts[i]!], sums[i]!)),
    total.on([partials, control], 1),
    ...updated.map(({ weight, slots }, i) =>
      apply.on(
        [control, scalars, gradients[i]!, weight, ...slots],
        Math.min(MAX_UPDATE_GROUPS, Math.ceil(sizes[i]! / GROUP)),
      ),
    ),
  ];
  let known: { readonly gradients: readonly DeviceTensor[]; readonly calls: readonly Dispatch[] } | null =
    null;
  return {
    control,
    async update(gradients, values) {
      if (!known?.gradients.every((d, i) => d === gradients[i]))
        known = { gradients, calls: commands(gradients) };
      const data = Float32Array.from(optimiser.scalars, (name) => values[name]!);
      await scalars.write({ data, shape: scalars.shape });
      dispatch(device, known.calls);
    },
    dispose() {
      for (const tensor of [partials, control, scalars]) tensor.dispose();
    },
  };
}

/** Each invocation one sum: no waiting for others, and the same order of additions in every run. */
const SUM_SQUARES = `
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let stride = arrayLength(&partials);
  var sum = 0.0;
  for (var i = id.x; i < arrayLength(&gradient); i += stride) { sum += gradient[i] * gradient[i]; }
  partials[id.x] = sum;
}`;

/** As `gradientFactor`. Shaders may assume that nothing is infinite or NaN, so the bits are looked at. */
const limitSource = ({ maxGradNorm, lossScale = 1 }: Pick<StepOptions, 'maxGradNorm' | 'lossScale'>) => `
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> control: array<f32>;
var<workgroup> sums: array<f32, ${TOTAL_GROUP}>;

@compute @workgroup_size(${TOTAL_GROUP})
fn main(@builtin(local_invocation_index) at: u32) {
  var sum = 0.0;
  for (var i = at; i < arrayLength(&partials); i += ${TOTAL_GROUP}u) { sum += partials[i]; }
  sums[at] = sum;
  workgroupBarrier();
  if (at != 0u) { return; }
  for (var i = 1u; i < ${TOTAL_GROUP}u; i++) { sum += sums[i]; }
  let norm = sqrt(sum) / ${lossScale};
  let exponent = bitcast<u32>(norm) & 0x7f800000u;
  control[0] = norm;
  control[1] = ${maxGradNorm === undefined ? '1.0' : `min(1.0, ${maxGradNorm} / (norm + 1e-6))`} / ${lossScale};
  control[2] = select(1.0, 0.0, exponent == 0x7f800000u);
}`;

const updateSource = ({ slots, scalars, wgsl }: Optimiser): string => `
@group(0) @binding(0) var<storage, read> control: array<f32>;
@group(0) @binding(1) var<storage, read> scalars: array<f32>;
@group(0) @binding(2) var<storage, read> gradients: array<f32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;
${slots.map((slot, i) => `@group(0) @binding(${4 + i}) var<storage, read_write> all_${slot}: array<f32>;`).join('\n')}

@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  if (control[2] == 0.0) { return; }
  let factor = control[1];
  ${scalars.map((name, i) => `let ${name} = scalars[${i}];`).join(' ')}
  for (var i = id.x; i < arrayLength(&weights); i += groups.x * ${GROUP}u) {
    let gradient = gradients[i] * factor;
    var weight = weights[i];
    ${slots.map((slot) => `var ${slot} = all_${slot}[i];`).join(' ')}
    ${wgsl}
    weights[i] = weight;
    ${slots.map((slot) => `all_${slot}[i] = ${slot};`).join(' ')}
  }
}`;
