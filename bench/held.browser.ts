/** Counts what only the browser knows of: WebAssembly memories and GPU buffers. Imported before any is created. */

/** Bytes. */
export interface Held {
  readonly wasm: number;
  readonly gpu: number;
}

const memories: WebAssembly.Memory[] = [];
const { Memory } = WebAssembly;
WebAssembly.Memory = class extends Memory {
  constructor(descriptor: WebAssembly.MemoryDescriptor) {
    super(descriptor);
    memories.push(this);
  }
};

const buffers = new Set<GPUBuffer>();
const { createBuffer } = GPUDevice.prototype;
const { destroy } = GPUBuffer.prototype;
GPUDevice.prototype.createBuffer = function (descriptor) {
  const buffer = createBuffer.call(this, descriptor);
  buffers.add(buffer);
  return buffer;
};
GPUBuffer.prototype.destroy = function () {
  buffers.delete(this);
  return destroy.call(this);
};

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

export const held = (): Held => ({
  wasm: sum(memories.map(({ buffer }) => buffer.byteLength)),
  gpu: sum([...buffers].map(({ size }) => size)),
});
