const bits = new Uint32Array(1);
const real = new Float32Array(bits.buffer);

/** Every IEEE binary16 value by its bits; 256 KiB, built on first use because most pages never decode fp16. */
let halfTable: Float32Array | undefined;

function makeHalfTable(): Float32Array {
  const table = new Float32Array(1 << 16);
  for (let h = 0; h < table.length; h++) {
    const sign = h & 0x8000 ? -1 : 1;
    const exponent = (h >> 10) & 31;
    const fraction = h & 1023;
    if (exponent === 31) table[h] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else if (exponent === 0) table[h] = sign * fraction * 2 ** -24;
    else table[h] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return table;
}

/** IEEE binary16 bits → float32, exact. */
export function decodeHalf(halves: Uint16Array, out = new Float32Array(halves.length)): Float32Array {
  halfTable ??= makeHalfTable();
  for (let i = 0; i < halves.length; i++) out[i] = halfTable[halves[i]!]!;
  return out;
}

/** float32 → IEEE binary16 bits, to nearest, ties to even (as torch and numpy); beyond 65,519.99 becomes infinity. */
export function encodeHalf(values: Float32Array, out = new Uint16Array(values.length)): Uint16Array {
  for (let i = 0; i < values.length; i++) {
    real[0] = values[i]!;
    const x = bits[0]!;
    const sign = (x >>> 16) & 0x8000;
    const magnitude = x & 0x7fffffff;
    if (magnitude >= 0x47800000) {
      // ≥ 65,536, infinity or NaN; a NaN stays one whatever its payload
      out[i] = sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
    } else if (magnitude < 0x38800000) {
      // below 2⁻¹⁴ the result is a multiple of 2⁻²⁴: adding 0.5 (whose ulp is 2⁻²⁴) makes the FPU do the rounding
      real[0] = Math.abs(values[i]!) + 0.5;
      out[i] = sign | (bits[0]! - 0x3f000000);
    } else {
      // re-bias the exponent; 0xfff plus the lowest kept bit rounds half to even, carrying into the exponent
      out[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    }
  }
  return out;
}

/** bfloat16 bits (the upper half of a float32) → float32, exact. */
export function decodeBfloat(halves: Uint16Array, out = new Float32Array(halves.length)): Float32Array {
  const outBits = new Uint32Array(out.buffer, out.byteOffset, halves.length);
  for (let i = 0; i < halves.length; i++) outBits[i] = halves[i]! << 16;
  return out;
}

/** float32 → bfloat16 bits, to nearest, ties to even. */
export function encodeBfloat(values: Float32Array, out = new Uint16Array(values.length)): Uint16Array {
  for (let i = 0; i < values.length; i++) {
    real[0] = values[i]!;
    const x = bits[0]!;
    const isNan = (x & 0x7fffffff) > 0x7f800000;
    out[i] = isNan ? 0x7fc0 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
  }
  return out;
}
