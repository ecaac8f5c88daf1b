import type { Tensor } from 'onnxruntime-common';
import type { ConstantData, DType, Shape } from '../onnx/graph';
import { AppError } from '../util/errors';
import { decodeHalf, encodeHalf } from '../util/float16';
import { type NdArray, sizeOf } from '../util/nd-array';
import type { Backend } from './backend';

const BYTES: Readonly<Record<DType, number>> = { float32: 4, float16: 2, int64: 8, bool: 1 };

export const byteSize = ({ shape, dtype }: { readonly shape: Shape; readonly dtype: DType }): number =>
  sizeOf(shape) * BYTES[dtype];

/** Host floats as a tensor's raw storage; float32 is not copied. @throws AppError SHAPE for a fractional int64 */
export function toRaw({ data }: NdArray, dtype: DType): ConstantData {
  switch (dtype) {
    case 'float32':
      return data;
    case 'float16':
      return encodeHalf(data);
    case 'bool':
      return Uint8Array.from(data, (v) => (v ? 1 : 0));
    case 'int64':
      if (!data.every(Number.isSafeInteger))
        throw new AppError('SHAPE', 'an int64 tensor takes whole numbers');
      return BigInt64Array.from(data, BigInt);
  }
}

/** Raw storage (or the bytes of it) as host floats; float32 is not copied. */
export function fromRaw(raw: ArrayBufferView, shape: Shape, dtype: DType): NdArray {
  const { buffer, byteOffset } = raw;
  const size = sizeOf(shape);
  switch (dtype) {
    case 'float32':
      return { data: new Float32Array(buffer as ArrayBuffer, byteOffset, size), shape };
    case 'float16':
      return { data: decodeHalf(new Uint16Array(buffer, byteOffset, size)), shape };
    case 'bool':
      return { data: Float32Array.from(new Uint8Array(buffer, byteOffset, size)), shape };
    case 'int64':
      return { data: Float32Array.from(new BigInt64Array(buffer, byteOffset, size), Number), shape };
  }
}

/** A tensor where networks run: one GPU buffer on WebGPU, host memory otherwise. Fixed shape and place; contents may change. */
export class DeviceTensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly bytes: number;
  /** what sessions are fed */
  readonly ort: Tensor;
  readonly #backend: Backend;
  readonly #kind: 'weights' | 'tensors' | null;

  private constructor(backend: Backend, kind: 'weights' | 'tensors' | null, spec: TensorSpec, ort: Tensor) {
    this.shape = spec.shape;
    this.dtype = spec.dtype;
    this.bytes = byteSize(spec);
    this.ort = ort;
    this.#backend = backend;
    this.#kind = kind;
    if (kind) backend.memory.add(kind, this.bytes);
  }

  /** A tensor that belongs to a session and lives as long as that keeps it. */
  static borrowed(backend: Backend, spec: TensorSpec, ort: Tensor): DeviceTensor {
    return new DeviceTensor(backend, null, spec, ort);
  }

  /** Zeroed. @throws AppError OUT_OF_MEMORY, DEVICE_LOST */
  static async create(
    backend: Backend,
    spec: TensorSpec,
    label: string,
    kind: 'weights' | 'tensors' = 'tensors',
  ): Promise<DeviceTensor> {
    const { shape, dtype } = spec;
    const { device, ort } = backend;
    const tensor = device
      ? ort.Tensor.fromGpuBuffer(await device.createBuffer(byteSize(spec), label), {
          dataType: dtype,
          dims: [...shape],
        })
      : hostTensor(backend, spec, zeroed(shape));
    return new DeviceTensor(backend, kind, spec, tensor);
  }

  /** Over memory of the caller's, float32, on CPU backends. @throws AppError SHAPE when it is of another size */
  static over(
    backend: Backend,
    shape: Shape,
    data: Float32Array<ArrayBuffer>,
    kind: 'weights' | 'tensors',
  ): DeviceTensor {
    if (data.length !== sizeOf(shape))
      throw new AppError('SHAPE', `${data.length} values of memory cannot hold a tensor [${shape}]`);
    const spec: TensorSpec = { shape, dtype: 'float32' };
    return new DeviceTensor(backend, kind, spec, hostTensor(backend, spec, { data, shape }));
  }

  /** @throws AppError SHAPE when the shapes differ */
  async write(array: NdArray): Promise<void> {
    if (array.shape.join() !== this.shape.join()) {
      throw new AppError('SHAPE', `a tensor [${this.shape}] cannot take [${array.shape}]`);
    }
    const raw = toRaw(array, this.dtype);
    const { device } = this.#backend;
    if (device) await device.write(this.buffer, raw);
    else rawBytes(this.ort.data as ArrayBufferView).set(rawBytes(raw));
  }

  /** A copy on the host. @throws AppError DEVICE_LOST */
  async read(): Promise<NdArray> {
    const { device } = this.#backend;
    if (!device) {
      return fromRaw(rawBytes(this.ort.data as ArrayBufferView).slice(), this.shape, this.dtype);
    }
    const [bytes] = await device.read([{ buffer: this.buffer, bytes: this.bytes }]);
    return fromRaw(new Uint8Array(bytes!), this.shape, this.dtype);
  }

  /** WebGPU only. */
  get buffer(): GPUBuffer {
    return this.ort.gpuBuffer as GPUBuffer;
  }

  /** Does nothing to a borrowed tensor. */
  dispose(): void {
    if (!this.#kind) return;
    if (this.#backend.device) this.buffer.destroy();
    this.#backend.memory.add(this.#kind, -this.bytes);
  }
}

export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Host data as ORT takes it on CPU backends. */
export const hostTensor = ({ ort }: Backend, { shape, dtype }: TensorSpec, array: NdArray): Tensor =>
  // the constructor is overloaded per dtype; toRaw keeps the pair right
  new ort.Tensor(dtype as 'float32', toRaw(array, dtype) as Float32Array, [...shape]);

/** What ORT returned on a CPU backend, on the host, not copied. */
export const fromHostTensor = (tensor: Tensor, { shape, dtype }: TensorSpec): NdArray =>
  fromRaw(tensor.data as ArrayBufferView, shape, dtype);

const zeroed = (shape: Shape): NdArray => ({ data: new Float32Array(sizeOf(shape)), shape });

/** The bytes of an array, not copied. */
export const rawBytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array<ArrayBuffer> =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
