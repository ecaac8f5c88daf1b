/** Cross-attention of a UNet as pictures: which places look at which tokens. */
import type { Tap } from '../models/params';
import type { Graph, Value } from '../onnx/graph';
import { concat, reshape, swapLast } from '../onnx/movement';
import * as op from '../onnx/ops';
import { AppError } from '../util/errors';

/** The halves of a UNet and what lies between them. */
export type UNetPart = 'encoder' | 'middle' | 'decoder';

/** Maps of one place where a UNet attends to the prompt. */
export interface AttentionSite {
  readonly part: UNetPart;
  /** side in places */
  readonly height: number;
  readonly width: number;
  /** [B,N,K,h',w'] in [0,1]: mass that each place gives to each token, or to each weighting of tokens */
  readonly maps: Value;
}

/** Side, in places, of the cross-attention maps that show a subject best (Prompt-to-Prompt's choice; METHOD.md 3.6). */
const MAP_SIDE = 16;

/** A tap that keeps the cross-attention that it sees, and lets everything pass. */
export interface AttentionWatch {
  readonly tap: Tap;
  readonly sites: readonly AttentionSite[];
}

/**
 * @param height,width  of the latent
 * @param weights  of each token in each of K maps [B,1,L,K]; default: a map for every token, K = L
 */
export function watchAttention(
  g: Graph,
  { height, width }: { readonly height: number; readonly width: number },
  weights?: Value,
): AttentionWatch {
  const sites: AttentionSite[] = [];
  const tap: Tap = (name, value) => {
    if (!isCrossAttention(name)) return value;
    const probs = op.cast(g, value, 'float32');
    const mass = weights ? op.matMul(g, probs, weights) : probs;
    const [batch, heads, places, count] = mass.shape as readonly [number, number, number, number];
    const w = Math.round(Math.sqrt((places * width) / height));
    const shape = [batch, heads, count, places / w, w];
    const maps = reshape(g, count === 1 ? mass : swapLast(g, mass), shape);
    sites.push({ part: partOf(name), height: places / w, width: w, maps });
    return value;
  };
  return { tap, sites };
}

/** By a probability tap's name: [B,N,places,L] of cross-attention. */
export const isCrossAttention = (name: string): boolean => name.endsWith('attn2.probs');

const partOf = (name: string): UNetPart =>
  name.startsWith('down_blocks') ? 'encoder' : name.startsWith('up_blocks') ? 'decoder' : 'middle';

/** The sites whose side is nearest to the one that shows subjects best. @throws AppError UNSUPPORTED_MODEL without any */
export function subjectSites(sites: readonly AttentionSite[]): readonly AttentionSite[] {
  const distance = ({ height, width }: AttentionSite): number =>
    Math.abs(Math.log(Math.sqrt(height * width) / MAP_SIDE));
  const nearest = Math.min(...sites.map(distance));
  const chosen = sites.filter((site) => distance(site) === nearest);
  if (chosen.length > 0) return chosen;
  throw new AppError('UNSUPPORTED_MODEL', 'this UNet has no cross-attention to find a subject with');
}

/** Mean over heads and over sites of one size: [B,K,h',w']. */
export function meanMaps(g: Graph, sites: readonly AttentionSite[]): Value {
  // the mean comes last: a captured program does not replay the copy that a last Reshape is
  return op.reduceMean(
    g,
    concat(
      g,
      sites.map(({ maps }) => maps),
      1,
    ),
    [1],
    false,
  );
}
