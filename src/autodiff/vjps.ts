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

export const vjps = vjpsWith({ input: 'transposed', weight: 'taps' });
