import type { BackendName } from '../src/runtime/capabilities';
import { loadOrtWeb } from '../src/runtime/ort-web';
import { createEdits } from './edits';

export interface EditsRequest {
  readonly backend: BackendName;
  readonly edits: number;
  readonly runs: number;
}

/** Bytes held after the edits. */
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
const perBackend = new Map<BackendName, ReturnType<typeof createEdits>>();

export async function run({ backend, edits, runs }: EditsRequest): Promise<Held> {
  const edit = perBackend.get(backend) ?? createEdits(loadOrtWeb, backend);
  perBackend.set(backend, edit);
  await edit(edits, runs);
  return {
    wasm: sum(memories.map(({ buffer }) => buffer.byteLength)),
    gpu: sum([...buffers].map(({ size }) => size)),
  };
}
