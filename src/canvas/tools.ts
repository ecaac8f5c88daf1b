import { setSquare } from '../document/actions';
import type { Square } from '../document/document';
import { resizeSquare, squareBetween } from '../document/square';
import { bail, begin, currentDocument, end, update } from '../state/document-store';
import { session, setSession, type Tool, type View } from '../state/session-store';
import { settings } from '../state/settings-store';
import { cornerAt } from './edit-square';
import type { MaskPainter } from './mask-painter';
import { type Point, pan, type Size, toPhoto } from './view';

/** What one press of the pointer does until it is released. Points are screen px relative to the canvas. */
export interface Gesture {
  move(point: Point): void;
  up(): void;
  /** as if it never began: a second finger came down, Escape was pressed */
  cancel(): void;
}

/** What tools may touch besides the stores. */
export interface Surface {
  readonly photo: Size;
  readonly viewport: Size;
  readonly editable: boolean;
  /** a result of the present square is being looked at: a drag inside it pans */
  readonly judging: boolean;
  readonly painter: MaskPainter;
}

interface ToolRow {
  cursor(point: Point, surface: Surface): string;
  press(point: Point, surface: Surface): Gesture | null;
}

const view = (): View => session().view;
const square = (): Square | null => currentDocument().square;
const inside = (it: Square, { x, y }: Point): boolean =>
  x >= it.x && y >= it.y && x <= it.x + it.size && y <= it.y + it.size;

export function panning(start: Point, { photo, viewport }: Surface): Gesture {
  let last = start;
  return {
    move(point) {
      setSession({ view: pan(view(), { x: point.x - last.x, y: point.y - last.y }, photo, viewport) });
      last = point;
    },
    up() {},
    cancel() {},
  };
}

/** A drag that changes the square; one undo step when it ends. */
function squaring(label: string, next: (point: Point) => Square): Gesture {
  begin(label);
  return {
    move: (point) => update((doc) => setSquare(doc, next(toPhoto(view(), point)))),
    up: end,
    cancel: bail,
  };
}

function grabCorner(point: Point, { photo }: Surface): Gesture | null {
  const from = square();
  const corner = from && cornerAt(from, view(), point);
  return corner ? squaring('Resize square', (to) => resizeSquare(from, corner, to, photo)) : null;
}

const cornerCursor = (point: Point): string | null => {
  const from = square();
  const corner = from && cornerAt(from, view(), point);
  if (!corner) return null;
  return corner === 'nw' || corner === 'se' ? 'nwse-resize' : 'nesw-resize';
};

const painting = (erase: boolean): ToolRow => ({
  cursor: (_, { editable }) => (editable ? 'none' : 'not-allowed'),
  press(point, { editable, painter }) {
    if (!editable) return null;
    const radius = settings().brushSize / 2 / view().scale;
    painter.begin(toPhoto(view(), point), radius, erase);
    return {
      move: (to) => painter.extend(toPhoto(view(), to)),
      up: () => painter.commit(),
      cancel: () => painter.revert(),
    };
  },
});

const tools: Readonly<Record<Tool, ToolRow>> = {
  hand: { cursor: () => 'grab', press: panning },
  move: {
    cursor(point, { editable, judging }) {
      const at = square();
      if (!editable || !at) return 'grab';
      return cornerCursor(point) ?? (!judging && inside(at, toPhoto(view(), point)) ? 'move' : 'grab');
    },
    press(point, surface) {
      const from = square();
      if (!surface.editable || !from) return panning(point, surface);
      const start = toPhoto(view(), point);
      const resize = grabCorner(point, surface);
      if (resize) return resize;
      if (surface.judging || !inside(from, start)) return panning(point, surface);
      return squaring('Move square', (to) => ({
        ...from,
        x: from.x + to.x - start.x,
        y: from.y + to.y - start.y,
      }));
    },
  },
  square: {
    cursor: (point, { editable }) => (editable ? (cornerCursor(point) ?? 'crosshair') : 'not-allowed'),
    press(point, surface) {
      if (!surface.editable) return null;
      const { photo } = surface;
      const { x, y } = toPhoto(view(), point);
      const anchor = {
        x: Math.min(Math.max(Math.round(x), 0), photo.width),
        y: Math.min(Math.max(Math.round(y), 0), photo.height),
      };
      return grabCorner(point, surface) ?? squaring('Draw square', (to) => squareBetween(anchor, to, photo));
    },
  },
  brush: painting(false),
  eraser: painting(true),
};

export const toolRow = (tool: Tool): ToolRow => tools[tool];
