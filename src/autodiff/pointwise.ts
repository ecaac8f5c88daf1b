/** Rules of elementwise ops. Products are left in broadcast shape. */
import type { Graph, Value } from '../onnx/graph';
import * as op from '../onnx/ops';
import { float, type Vjp } from './vjp';

type Unary = (a: { readonly g: Graph; readonly x: Value; readonly y: Value; readonly dy: Value }) => Value;
type Binary = (a: {
  readonly g: Graph;
  readonly a: Value;
  readonly b: Value;
  readonly y: Value;
  readonly dy: Value;
}) => readonly [Value, Value];

const unary =
  (rule: Unary): Vjp =>
  ({ g, x, y, dy }) => [rule({ g, x: x[0]!, y, dy })];

const binary =
  (rule: Binary): Vjp =>
  ({ g, x, y, dy }) =>
    rule({ g, a: x[0]!, b: x[1]!, y, dy });

/** Piecewise constant or boolean: no gradient reaches the inputs. */
const flat: Vjp = ({ x }) => x.map(() => null);

const times = (g: Graph, factor: number, v: Value): Value => op.mul(g, v, op.scalar(g, factor, v.dtype));
const oneMinus = (g: Graph, v: Value): Value => op.sub(g, op.scalar(g, 1, v.dtype), v);
const zeroUnless = (g: Graph, mask: Value, v: Value): Value => op.where(g, mask, v, op.scalar(g, 0, v.dtype));
const zeroIf = (g: Graph, mask: Value, v: Value): Value => op.where(g, mask, op.scalar(g, 0, v.dtype), v);

export const pointwise = {
  // dy·sign(x), with 0 at 0
  Abs: unary(({ g, x, dy }) => {
    const zero = op.scalar(g, 0, x.dtype);
    const sign = op.sub(
      g,
      op.cast(g, op.greater(g, x, zero), x.dtype),
      op.cast(g, op.less(g, x, zero), x.dtype),
    );
    return op.mul(g, dy, sign);
  }),
  Ceil: flat,
  Floor: flat,
  // −dy·sin x
  Cos: unary(({ g, x, dy }) => op.neg(g, op.mul(g, dy, op.sin(g, x)))),
  // dy·2/√π·exp(−x²)
  Erf: unary(({ g, x, dy }) =>
    op.mul(g, dy, times(g, 2 / Math.sqrt(Math.PI), op.exp(g, op.neg(g, op.mul(g, x, x))))),
  ),
  Exp: unary(({ g, y, dy }) => op.mul(g, dy, y)),
  Log: unary(({ g, x, dy }) => op.div(g, dy, x)),
  Neg: unary(({ g, dy }) => op.neg(g, dy)),
  // −dy·y²
  Reciprocal: unary(({ g, y, dy }) => op.neg(g, op.mul(g, dy, op.mul(g, y, y)))),
  Relu: unary(({ g, y, dy }) => zeroUnless(g, op.greater(g, y, op.scalar(g, 0, y.dtype)), dy)),
  // dy·y(1−y)
  Sigmoid: unary(({ g, y, dy }) => op.mul(g, dy, op.sub(g, y, op.mul(g, y, y)))),
  Sin: unary(({ g, x, dy }) => op.mul(g, dy, op.cos(g, x))),
  Softplus: unary(({ g, x, dy }) => op.mul(g, dy, op.sigmoid(g, x))),
  // dy/2y
  Sqrt: unary(({ g, y, dy }) => op.div(g, dy, op.add(g, y, y))),
  // dy(1−y²)
  Tanh: unary(({ g, y, dy }) => op.mul(g, dy, oneMinus(g, op.mul(g, y, y)))),
  Identity: unary(({ dy }) => dy),
  Cast: ({ g, x: [x], dy }) => [x!.dtype.startsWith('float') ? op.cast(g, dy, x!.dtype) : null],
  // 1 inside the bounds (included), 0 outside: exactly where clipping changed nothing
  Clip: ({ g, x, y, dy }) => [zeroUnless(g, op.equal(g, x[0]!, y), dy), ...x.slice(1).map(() => null)],
  // s = σ(αx):  dy(s + α·y(1 − s))
  QuickGelu: ({ g, x: [x], y, dy, attrs }) => {
    const alpha = float(attrs, 'alpha');
    const scaled = (v: Value): Value => (alpha === 1 ? v : times(g, alpha, v));
    const s = op.sigmoid(g, scaled(x!));
    return [op.mul(g, dy, op.add(g, s, op.mul(g, scaled(y), oneMinus(g, s))))];
  },
  // exact: dy(Φ(x) + x·φ(x)) = dy(½(1 + erf(x/√2)) + x·exp(−x²/2)/√2π);  in float32 Φ = y/x, which saves the erf, its
  // slowest part; written so that it is ½ at 0, and off by less than 1e-10 elsewhere
  // tanh:  dy(½(1 + t) + ½x(1 − t²)·u′),  t = tanh u,  u = √(2/π)(x + 0.044715x³),  u′ = √(2/π)(1 + 3·0.044715x²)
  Gelu: ({ g, x: [x], y, dy, attrs }) => {
    const square = op.mul(g, x!, x!);
    const one = op.scalar(g, 1, dy.dtype);
    if (attrs.approximate === 'none') {
      const plus = (tiny: number, v: Value): Value => op.add(g, v, op.scalar(g, tiny, v.dtype));
      const cdf =
        dy.dtype === 'float32'
          ? op.div(g, plus(5e-21, op.mul(g, x!, y)), plus(1e-20, square))
          : times(g, 0.5, op.add(g, op.erf(g, times(g, Math.SQRT1_2, x!)), one));
      const pdf = times(g, 1 / Math.sqrt(2 * Math.PI), op.exp(g, times(g, -0.5, square)));
      return [op.mul(g, dy, op.add(g, cdf, op.mul(g, x!, pdf)))];
    }
    const c = Math.sqrt(2 / Math.PI);
    const t = op.tanh(g, op.mul(g, x!, times(g, c, op.add(g, one, times(g, 0.044715, square)))));
    const du = times(g, c, op.add(g, one, times(g, 3 * 0.044715, square)));
    const inner = op.mul(g, op.mul(g, x!, oneMinus(g, op.mul(g, t, t))), du);
    return [op.mul(g, dy, times(g, 0.5, op.add(g, op.add(g, one, t), inner)))];
  },

  Add: binary(({ dy }) => [dy, dy]),
  Sub: binary(({ g, dy }) => [dy, op.neg(g, dy)]),
  Mul: binary(({ g, a, b, dy }) => [op.mul(g, dy, b), op.mul(g, dy, a)]),
  // dy/b, −dy·y/b
  Div: binary(({ g, b, y, dy }) => {
    const da = op.div(g, dy, b);
    return [da, op.neg(g, op.mul(g, da, y))];
  }),
  // dy·b·a^(b−1), dy·y·ln a
  Pow: binary(({ g, a, b, y, dy }) => [
    op.mul(g, dy, op.mul(g, b, op.pow(g, a, op.sub(g, b, op.scalar(g, 1, b.dtype))))),
    op.mul(g, dy, op.mul(g, y, op.log(g, a))),
  ]),
  // to the larger; to a where they are equal
  Max: binary(({ g, a, b, dy }) => {
    const left = op.greaterOrEqual(g, a, b);
    return [zeroUnless(g, left, dy), zeroIf(g, left, dy)];
  }),
  Min: binary(({ g, a, b, dy }) => {
    const left = op.lessOrEqual(g, a, b);
    return [zeroUnless(g, left, dy), zeroIf(g, left, dy)];
  }),
  Where: ({ g, x: [condition], dy }) => [null, zeroUnless(g, condition!, dy), zeroIf(g, condition!, dy)],
  And: flat,
  Equal: flat,
  Greater: flat,
  GreaterOrEqual: flat,
  Less: flat,
  LessOrEqual: flat,
  Not: flat,
  ArgMax: flat,
} as const satisfies Record<string, Vjp>;
