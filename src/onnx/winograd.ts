/**
 * Winograd's F(2×2, 3×3): Y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ d B)]A for 4×4 patches d of stride 2 and 2×2 blocks Y, 16 multiplications
 * instead of 36 (Lavin and Gray 2015, arXiv:1509.09308, eq. 8–10). Matrices for flattened squares: Bᵀ⊗Bᵀ is `SPREAD`.
 */
type Matrix = readonly (readonly number[])[];

export const transposed = (m: Matrix): Matrix => m[0]!.map((_, i) => m.map((row) => row[i]!));

/** m ⊗ m: applies m to both axes of a flattened square. */
const kron = (m: Matrix): Matrix => m.flatMap((a) => m.map((b) => a.flatMap((s) => b.map((t) => s * t))));

/** 4×4 patch → 16 places, [16,16] */
export const SPREAD = kron([
  [1, 0, -1, 0],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, 1, 0, -1],
]);

/** 16 places → 2×2 block, [4,16] */
export const GATHER = kron([
  [1, 1, 1, 0],
  [0, 1, -1, -1],
]);

/** 3×3 kernel → 16 places, [16,9] */
export const KERNEL = kron([
  [1, 0, 0],
  [0.5, 0.5, 0.5],
  [0.5, -0.5, 0.5],
  [0, 0, 1],
]);
