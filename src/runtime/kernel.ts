import { AppError } from '../util/errors';
import type { Device } from './device';

/** Part of a buffer that a kernel sees as an array; a DeviceTensor is all of its own. */
export interface Binding {
  readonly buffer: GPUBuffer;
  /** its true length, without the padding of buffers: a multiple of 4 */
  readonly bytes: number;
  /** in bytes, a multiple of 256. Default 0 */
  readonly offset?: number;
}

/** A kernel, what it is bound to, and how many workgroups of it run. */
export interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: number;
}

/** A compute shader of our own on the device that sessions run on, for what a graph cannot do: change tensors in place. */
export class Kernel {
  readonly #device: Device;
  readonly #pipeline: GPUComputePipeline;

  private constructor(device: Device, pipeline: GPUComputePipeline) {
    this.#device = device;
    this.#pipeline = pipeline;
  }

  /**
   * @param code  WGSL with one entry point; its bindings are @group(0), @binding(0), (1), …
   * @throws AppError GRAPH with the compiler's words; DEVICE_LOST
   */
  static async compile(device: Device, label: string, code: string): Promise<Kernel> {
    device.check();
    const { gpu } = device;
    gpu.pushErrorScope('validation');
    const module = gpu.createShaderModule({ label, code });
    const refused = await device.orLost(gpu.popErrorScope());
    if (refused) throw new AppError('GRAPH', `${label}: ${refused.message}`);
    const pipeline = gpu.createComputePipelineAsync({ label, layout: 'auto', compute: { module } });
    return new Kernel(device, await device.orLost(pipeline));
  }

  /** @param bindings  by number */
  on(bindings: readonly Binding[], workgroups: number): Dispatch {
    const group = this.#device.gpu.createBindGroup({
      layout: this.#pipeline.getBindGroupLayout(0),
      entries: bindings.map(({ buffer, bytes, offset = 0 }, binding) => ({
        binding,
        resource: { buffer, offset, size: bytes },
      })),
    });
    return { pipeline: this.#pipeline, group, workgroups };
  }
}

/** Run kernels one after the other, after all earlier commands; each sees what those before it wrote. */
export function dispatch({ gpu }: Device, calls: readonly Dispatch[]): void {
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const { pipeline, group, workgroups } of calls) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(workgroups);
  }
  pass.end();
  gpu.queue.submit([encoder.finish()]);
}
