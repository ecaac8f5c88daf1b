import type { View } from '../state/session-store';

export interface Point {
  readonly x: number;
  readonly y: number;
}
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Free space around a fitted photo, screen px: above and below it float the tool and zoom bars. */
const margin = { across: 24, along: 64 };
/** At least this much of the photo stays on the screen, px. */
const keptInSight = 64;
/** screen px per photo px */
const maxScale = 16;

export const toPhoto = ({ scale, x, y }: View, point: Point): Point => ({
  x: (point.x - x) / scale,
  y: (point.y - y) / scale,
});
export const toScreen = ({ scale, x, y }: View, point: Point): Point => ({
  x: point.x * scale + x,
  y: point.y * scale + y,
});

/** The whole photo, centred; never larger than 4 screen px per photo px. */
export function fitView(photo: Size, viewport: Size): View {
  const width = Math.max(viewport.width - 2 * margin.across, 1);
  const height = Math.max(viewport.height - 2 * margin.along, 1);
  const scale = Math.min(width / photo.width, height / photo.height, 4);
  return centred(scale, photo, viewport, true);
}

/** The photo's centre in the middle of the viewport. */
const centred = (scale: number, photo: Size, viewport: Size, fit: boolean): View => ({
  scale,
  x: (viewport.width - photo.width * scale) / 2,
  y: (viewport.height - photo.height * scale) / 2,
  fit,
});

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** Moved by a screen distance, but never out of sight. */
export function pan(view: View, by: Point, photo: Size, viewport: Size): View {
  const keep = (at: number, length: number, room: number): number =>
    clamp(at, Math.min(keptInSight - length, 0), Math.max(room - keptInSight, 0));
  return {
    scale: view.scale,
    x: keep(view.x + by.x, photo.width * view.scale, viewport.width),
    y: keep(view.y + by.y, photo.height * view.scale, viewport.height),
    fit: false,
  };
}

/** Zoomed to a scale so that what is under `at` (screen px) stays there. */
export function zoomTo(view: View, scale: number, at: Point, photo: Size, viewport: Size): View {
  const smallest = Math.min(fitView(photo, viewport).scale / 4, 1);
  const next = clamp(scale, smallest, maxScale);
  const { x, y } = toPhoto(view, at);
  return pan(
    { scale: next, x: at.x - x * next, y: at.y - y * next, fit: false },
    { x: 0, y: 0 },
    photo,
    viewport,
  );
}
