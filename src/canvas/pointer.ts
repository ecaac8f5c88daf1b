import { setSquare } from '../document/actions';
import { begin, currentDocument, end, update } from '../state/document-store';
import { session, setSession } from '../state/session-store';
import { settings } from '../state/settings-store';
import { debounce } from '../util/async';
import { type Gesture, panning, type Surface, toolRow } from './tools';
import { type Point, pan, toPhoto, toScreen, zoomTo } from './view';

export interface PointerHost {
  /** null: no photo, nothing to do */
  surface(): Surface | null;
  /** draw the brush circle at a screen point; null: hide it */
  showBrush(at: Point | null): void;
  setDragging(dragging: boolean): void;
}

/** Zoom per wheel notch of 100 px; trackpad pinches send small steps. */
const wheelZoom = 1.35;

const paints = (): boolean => session().tool === 'brush' || session().tool === 'eraser';

/**
 * Pointer, wheel and keys of the canvas: one finger or button works the tool, Space, the middle button or two fingers
 * pan, Ctrl/⌘ + wheel and pinch zoom. With the keyboard, arrows move the square, or the brush whose Enter is a dab.
 */
export function attachPointer(container: HTMLElement, host: PointerHost): () => void {
  const pointers = new Map<number, Point>();
  let gesture: Gesture | null = null;
  let space = false;
  /** where the keyboard's brush is, screen px */
  let brushAt: Point | null = null;
  const listening = new AbortController();
  const on = <K extends keyof HTMLElementEventMap>(
    type: K,
    f: (event: HTMLElementEventMap[K]) => void,
  ): void => container.addEventListener(type, f, { signal: listening.signal, passive: false });

  const at = (event: MouseEvent): Point => {
    const { left, top } = container.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const setCursor = (point: Point): void => {
    const surface = host.surface();
    const held = gesture !== null && (space || session().tool === 'hand');
    if (!surface) container.style.cursor = 'default';
    else if (space) container.style.cursor = held ? 'grabbing' : 'grab';
    else container.style.cursor = held ? 'grabbing' : toolRow(session().tool).cursor(point, surface);
    host.showBrush(surface?.editable && paints() && !space ? point : null);
  };
  const finish = (how: 'up' | 'cancel'): void => {
    const ended = gesture;
    gesture = null;
    ended?.[how]();
    host.setDragging(false);
  };

  on('pointerdown', (event) => {
    const surface = host.surface();
    if (!surface || event.button > 1) return;
    container.focus({ preventScroll: true });
    container.setPointerCapture(event.pointerId);
    const point = at(event);
    pointers.set(event.pointerId, point);
    if (pointers.size === 2) finish('cancel');
    if (pointers.size !== 1) return;
    const pans = space || event.button === 1;
    if (event.button === 1) event.preventDefault();
    gesture = pans ? panning(point, surface) : toolRow(session().tool).press(point, surface);
    host.setDragging(gesture !== null && !pans && (session().tool === 'move' || session().tool === 'square'));
    setCursor(point);
  });

  on('pointermove', (event) => {
    const point = at(event);
    const before = pointers.get(event.pointerId);
    if (before && pointers.size === 2) pinch(event.pointerId, before, point);
    if (before) pointers.set(event.pointerId, point);
    // a fast stroke has more points than frames
    if (gesture) for (const part of event.getCoalescedEvents?.() ?? [event]) gesture.move(at(part));
    gesture?.move(point);
    setCursor(point);
  });

  const pinch = (id: number, before: Point, point: Point): void => {
    const surface = host.surface();
    const other = [...pointers].find(([key]) => key !== id)?.[1];
    if (!surface || !other) return;
    const { photo, viewport } = surface;
    const { view } = session();
    const spread = Math.hypot(point.x - other.x, point.y - other.y);
    const factor = spread / Math.max(Math.hypot(before.x - other.x, before.y - other.y), 1);
    const centre = { x: (point.x + other.x) / 2, y: (point.y + other.y) / 2 };
    const moved = pan(view, { x: (point.x - before.x) / 2, y: (point.y - before.y) / 2 }, photo, viewport);
    setSession({ view: zoomTo(moved, moved.scale * factor, centre, photo, viewport) });
  };

  const release = (how: 'up' | 'cancel') => (event: PointerEvent) => {
    if (!pointers.delete(event.pointerId)) return;
    if (pointers.size === 0) finish(how);
    setCursor(at(event));
  };
  on('pointerup', release('up'));
  on('pointercancel', release('cancel'));
  on('pointerleave', () => pointers.size === 0 && host.showBrush(null));

  on('wheel', (event) => {
    const surface = host.surface();
    if (!surface) return;
    event.preventDefault();
    const { photo, viewport } = surface;
    const { view } = session();
    const line = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (event.ctrlKey || event.metaKey) {
      const scale = view.scale * wheelZoom ** ((-event.deltaY * line) / 100);
      setSession({ view: zoomTo(view, scale, at(event), photo, viewport) });
    } else {
      const [dx, dy] =
        event.shiftKey && event.deltaX === 0 ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
      setSession({ view: pan(view, { x: -dx * line, y: -dy * line }, photo, viewport) });
    }
    setCursor(at(event));
  });

  const arrows: Readonly<Record<string, Point>> = {
    ArrowLeft: { x: -1, y: 0 },
    ArrowRight: { x: 1, y: 0 },
    ArrowUp: { x: 0, y: -1 },
    ArrowDown: { x: 0, y: 1 },
  };
  /** A run of arrow presses is one undo step. */
  let nudging = false;
  const endNudge = debounce(() => {
    nudging = false;
    end();
  }, 600);
  const nudgeSquare = (by: Point, resize: boolean): void => {
    const { square } = currentDocument();
    if (!square || !host.surface()?.editable) return;
    if (!nudging) begin(resize ? 'Resize square' : 'Move square');
    nudging = true;
    update((doc) =>
      setSquare(
        doc,
        resize
          ? { ...square, size: square.size + by.x - by.y }
          : { ...square, x: square.x + by.x, y: square.y + by.y },
      ),
    );
    endNudge();
  };
  const stampBrush = (surface: Surface, point: Point): void => {
    const { scale } = session().view;
    surface.painter.begin(
      toPhoto(session().view, point),
      settings().brushSize / 2 / scale,
      session().tool === 'eraser',
    );
    surface.painter.commit();
  };

  on('keydown', (event) => {
    const surface = host.surface();
    if (!surface || event.ctrlKey || event.metaKey) return;
    if (event.key === 'Escape' && gesture) finish('cancel');
    else if (event.key === ' ') space = true;
    else if (event.key in arrows) {
      const { x, y } = arrows[event.key]!;
      const far = event.shiftKey ? 10 : 1;
      if (paints()) {
        const { photo } = surface;
        const from = brushAt ?? toScreen(session().view, { x: photo.width / 2, y: photo.height / 2 });
        brushAt = { x: from.x + x * far * 4, y: from.y + y * far * 4 };
        host.showBrush(brushAt);
      } else nudgeSquare({ x: x * far, y: y * far }, event.altKey);
    } else if (event.key === 'Enter' && paints() && brushAt && surface.editable) stampBrush(surface, brushAt);
    else return;
    event.preventDefault();
  });
  on('keyup', (event) => {
    if (event.key === ' ') space = false;
  });
  on('blur', () => {
    space = false;
    brushAt = null;
    host.showBrush(null);
  });

  return () => {
    endNudge.flush();
    listening.abort();
  };
}
