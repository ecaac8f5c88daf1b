/** The gradient table: ONNX op → rule. A new op needs a row here and a row in cases.ts, which checks it. */
import { type ConvGradients, conv, convTranspose, gemm, matMul } from './linear';
import { movement } from './movement';
import { pointwise } from './pointwise';
import { reductions } from './reductions';
import type { Vjp } from './vjp';

export type VjpTable = Readonly<Record<string, Vjp>>;

export const vjpsWith = (how: ConvGradients) =>
  ({
    ...pointwise,
    ...reductions,
    ...movement,
    MatMul: matMul,
    Gemm: gemm,
    Conv: conv(how),
    ConvTranspose: convTranspose(how),
  }) as const satisfies VjpTable;

/** What measures fastest on WebGPU (README, decisions). */
export const vjps = vjpsWith({ input: 'transposed', weight: 'taps' });

/**
 * What measures fastest on CPU backends: a frozen kernel is flipped once, when the session folds constants, and then
 * convolves as in the forward; one that trains would have to be flipped in every step.
 */
export const cpuVjps = (trains: (name: string) => boolean): VjpTable =>
  vjpsWith({ input: ({ name }) => (trains(name) ? 'transposed' : 'flipped'), weight: 'columns' });
