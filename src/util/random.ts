import { AppError } from './errors';

/** Everything that decides the next draws; plain JSON. Restoring replays `drawn` words (10 ms per million). */
export interface TorchRngState {
  /** the 32 bits of the seed that count */
  readonly seed: number;
  /** 32-bit words drawn so far */
  readonly drawn: number;
  /** second normal of the last pair, kept for the next call with fewer than 16 values */
  readonly spare: number | null;
}

/** PyTorch's CPU generator: the same seed and the same calls give the numbers that torch gives. */
export interface TorchRng {
  /** Standard normal numbers. As torch.randn, to within 5e-7 (torch rounds its vectorised log, sin and cos differently). */
  randn(count: number): Float32Array;
  /** Uniform in [0, 1), multiples of 2⁻²⁴. */
  rand(count: number): Float32Array;
  /** Uniform integers in [low, high). */
  randint(low: number, high: number, count: number): number[];
  /** A random order of 0 … n − 1. */
  randperm(n: number): number[];
  state(): TorchRngState;
}

/** @param seed  any integer; torch's CPU generator uses its low 32 bits */
export function createTorchRng(seed: number | bigint): TorchRng {
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
    throw new AppError('BAD_REQUEST', `a seed is a whole number, not ${seed}`);
  }
  return restoreTorchRng({ seed: Number(BigInt.asUintN(32, BigInt(seed))), drawn: 0, spare: null });
}

/**
 * A generator of its own for each step of a run, so that what a step draws follows from the run's seed and the step's
 * number alone: a run that is resumed or branched at a step sees the same.
 *
 * @param index  any integer
 */
export const createStepRng = (seed: number, index: number): TorchRng => createTorchRng(mixed(seed, index));

/** One 32-bit seed from two numbers (finaliser of MurmurHash3), so that neighbouring steps share nothing. */
function mixed(seed: number, index: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 0x7f4a7c15, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function restoreTorchRng(from: TorchRngState): TorchRng {
  const next = mt19937(from.seed);
  let { drawn, spare } = from;
  for (let i = 0; i < drawn; i++) next();

  const word = (): number => {
    drawn++;
    return next();
  };
  /** 24 random bits, what a float32 significand holds */
  const uniform = (): number => (word() & 0xffffff) / 2 ** 24;
  /** 53 random bits: the high word is drawn first */
  const uniform53 = (): number => ((word() & 0x1fffff) * 2 ** 32 + word()) / 2 ** 53;

  /** Fewer than 16 values: one at a time, in float64, the second of each pair kept (torch's normal_distribution). */
  const scalarNormal = (): number => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const theta = 2 * Math.PI * uniform53();
    const radius = Math.sqrt(-2 * Math.log1p(-uniform53()));
    spare = radius * Math.sin(theta);
    return radius * Math.cos(theta);
  };

  return {
    randn(count) {
      if (count < 16) return Float32Array.from({ length: count }, scalarNormal);
      const values = new Float32Array(count);
      for (let i = 0; i < count; i++) values[i] = uniform();
      for (let i = 0; i + 16 <= count; i += 16) boxMuller16(values.subarray(i, i + 16));
      if (count % 16 !== 0) {
        // torch draws the last 16 anew, overwriting values of the block before
        const tail = values.subarray(count - 16);
        for (let i = 0; i < 16; i++) tail[i] = uniform();
        boxMuller16(tail);
      }
      return values;
    },
    rand: (count) => Float32Array.from({ length: count }, uniform),
    randint(low, high, count) {
      // from 2²⁸ on torch takes 64 bits; nothing here needs such a range
      if (!(high > low && high - low < 2 ** 28))
        throw new AppError('BAD_REQUEST', `no range [${low}, ${high})`);
      return Array.from({ length: count }, () => low + (word() % (high - low)));
    },
    randperm(n) {
      const order = Array.from({ length: n }, (_, i) => i);
      for (let i = 0; i < n - 1; i++) {
        const j = i + (word() % (n - i));
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      return order;
    },
    state: () => ({ seed: from.seed, drawn, spare }),
  };
}

/** 16 uniform values → 16 normal ones in place, rounding to float32 where torch's normal_fill does. */
function boxMuller16(u: Float32Array): void {
  const { fround } = Math;
  const twoPi = fround(2 * Math.PI);
  for (let i = 0; i < 8; i++) {
    // 1 − u is never 0
    const radius = fround(Math.sqrt(fround(-2 * fround(Math.log(fround(1 - u[i]!))))));
    const theta = fround(twoPi * u[i + 8]!);
    u[i] = radius * fround(Math.cos(theta));
    u[i + 8] = radius * fround(Math.sin(theta));
  }
}

/**
 * Mersenne Twister, 32-bit words.
 * @see Matsumoto, Nishimura 1998, "Mersenne Twister", init_genrand and genrand_int32
 */
function mt19937(seed: number): () => number {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) {
    const previous = state[i - 1]! ^ (state[i - 1]! >>> 30);
    state[i] = Math.imul(1812433253, previous) + i;
  }
  let index = 624;
  return () => {
    if (index === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (state[i]! & 0x80000000) | (state[i < 623 ? i + 1 : 0]! & 0x7fffffff);
        state[i] = state[i < 227 ? i + 397 : i - 227]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      index = 0;
    }
    let y = state[index++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}
