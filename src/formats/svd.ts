import { Matrix, QrDecomposition, SingularValueDecomposition } from 'ml-matrix';
import type { NdArray } from '../util/nd-array';
import { createTorchRng } from '../util/random';

/** The best approximation of a matrix of a given rank: A ≈ up · down. */
export interface TruncatedSvd {
  /** [m, r] = U √S; the singular values are shared between both factors, which suits fp16 best */
  readonly up: NdArray;
  /** [r, n] = √S Vᵀ */
  readonly down: NdArray;
  /** Σ of the r largest singular values squared / squared Frobenius norm, in [0,1]; 1 for a zero matrix */
  readonly keptEnergy: number;
}

/** Up to this side all singular values are computed: 0.1 s for 128 × 768. */
const exactSide = 128;
/** Extra random directions, and rounds of power iteration that sharpen them. */
const oversampling = 16;
const powerIterations = 4;

/**
 * Truncated singular value decomposition. Large matrices go through a random subspace (with fixed randomness: the same
 * matrix gives the same factors), which loses below 1 % of the energy that the exact one keeps even when singular
 * values hardly decay.
 *
 * @param a     [m, n]
 * @param rank  at most min(m, n) is used
 * @see Halko, Martinsson, Tropp 2011, "Finding structure with randomness", arXiv:0909.4061, alg. 4.4 and 5.1
 */
export function truncatedSvd(a: NdArray, rank: number): TruncatedSvd {
  const [m, n] = a.shape as readonly [number, number];
  const side = Math.min(m, n);
  const r = Math.min(rank, side);
  const matrix = Matrix.from1DArray(m, n, a.data);
  const width = r + oversampling;
  const basis = side <= exactSide || 2 * width >= side ? null : range(matrix, width);
  const small = basis ? basis.transpose().mmul(matrix) : matrix;
  const svd = new SingularValueDecomposition(small, { autoTranspose: true });
  const left = basis ? basis.mmul(svd.leftSingularVectors) : svd.leftSingularVectors;

  const values = svd.diagonal.slice(0, r);
  const up = new Float32Array(m * r);
  const down = new Float32Array(r * n);
  values.forEach((value, k) => {
    const root = Math.sqrt(value);
    for (let i = 0; i < m; i++) up[i * r + k] = root * left.get(i, k);
    for (let j = 0; j < n; j++) down[k * n + j] = root * svd.rightSingularVectors.get(j, k);
  });
  const total = a.data.reduce((sum, x) => sum + x * x, 0);
  const kept = values.reduce((sum, value) => sum + value * value, 0);
  return {
    up: { data: up, shape: [m, r] },
    down: { data: down, shape: [r, n] },
    keptEnergy: total === 0 ? 1 : Math.min(1, kept / total),
  };
}

/** Orthonormal columns [m, width] that nearly span the range of a's largest singular values. */
function range(a: Matrix, width: number): Matrix {
  const orthonormal = (y: Matrix): Matrix => new QrDecomposition(y).orthogonalMatrix;
  const at = a.transpose();
  const random = Matrix.from1DArray(a.columns, width, createTorchRng(0).randn(a.columns * width));
  let q = orthonormal(a.mmul(random));
  for (let i = 0; i < powerIterations; i++) q = orthonormal(a.mmul(orthonormal(at.mmul(q))));
  return q;
}
