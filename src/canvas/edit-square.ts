import { Group } from 'konva/lib/Group';
import { Shape } from 'konva/lib/Shape';
import { Rect } from 'konva/lib/shapes/Rect';
import type { Square } from '../document/document';
import { type Corner, cornerOf } from '../document/square';
import type { View } from '../state/session-store';
import { type Point, type Size, toScreen } from './view';

const corners: readonly Corner[] = ['nw', 'ne', 'sw', 'se'];
/** Drawn size of a handle and how far from it a pointer still takes it, screen px. */
const handleSize = 11;
const reach = 14;

/** The handle under a screen point. */
export function cornerAt(square: Square, view: View, point: Point): Corner | null {
  const near = (corner: Corner): boolean => {
    const at = toScreen(view, cornerOf(square, corner));
    return Math.abs(at.x - point.x) <= reach && Math.abs(at.y - point.y) <= reach;
  };
  return corners.find(near) ?? null;
}

export interface EditSquareLook {
  readonly square: Square;
  readonly view: View;
  readonly photo: Size;
  readonly handles: boolean;
  /** darken what is outside */
  readonly dim: boolean;
}

/** The edit square in screen px, so that its lines stay one pixel wide at any zoom: dark under light shows on any photo. */
export function editSquareNode(): { readonly node: Group; draw(look: EditSquareLook | null): void } {
  const node = new Group({ listening: false });
  const dark = new Rect({ stroke: 'rgba(0,0,0,0.55)', strokeWidth: 3, listening: false });
  const light = new Rect({ stroke: '#fff', strokeWidth: 1, listening: false });
  let hole = { x: 0, y: 0, size: 0 };
  let outer = { x: 0, y: 0, width: 0, height: 0 };
  const shade = new Shape({
    fill: 'rgba(12,12,13,0.5)',
    listening: false,
    sceneFunc(context, shape) {
      context.beginPath();
      context.rect(outer.x, outer.y, outer.width, outer.height);
      // wound the other way round: a hole
      context.moveTo(hole.x, hole.y);
      context.lineTo(hole.x, hole.y + hole.size);
      context.lineTo(hole.x + hole.size, hole.y + hole.size);
      context.lineTo(hole.x + hole.size, hole.y);
      context.closePath();
      context.fillShape(shape);
    },
  });
  const handles = corners.map(
    () =>
      new Rect({
        width: handleSize,
        height: handleSize,
        offsetX: handleSize / 2,
        offsetY: handleSize / 2,
        cornerRadius: 2.5,
        fill: '#fff',
        stroke: 'rgba(0,0,0,0.6)',
        strokeWidth: 1,
        listening: false,
      }),
  );
  node.add(shade, dark, light, ...handles);

  return {
    node,
    draw(look) {
      node.visible(look !== null);
      if (!look) return;
      const { square, view, photo } = look;
      const origin = toScreen(view, square);
      hole = { ...origin, size: square.size * view.scale };
      const line = { x: Math.round(origin.x) + 0.5, y: Math.round(origin.y) + 0.5 };
      const side = Math.round(hole.size);
      dark.setAttrs({ ...line, width: side, height: side, opacity: look.handles ? 1 : 0.5 });
      light.setAttrs({ ...line, width: side, height: side, opacity: look.handles ? 1 : 0.55 });
      shade.visible(look.dim);
      outer = { x: view.x, y: view.y, width: photo.width * view.scale, height: photo.height * view.scale };
      for (const [i, corner] of corners.entries()) {
        handles[i]!.position(toScreen(view, cornerOf(square, corner)));
        handles[i]!.visible(look.handles);
      }
    },
  };
}
