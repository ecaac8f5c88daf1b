import { Konva } from 'konva/lib/Global';
import { Group } from 'konva/lib/Group';
import { Layer } from 'konva/lib/Layer';
import { Stage } from 'konva/lib/Stage';
import { Circle } from 'konva/lib/shapes/Circle';
import { Image } from 'konva/lib/shapes/Image';
import { Line } from 'konva/lib/shapes/Line';
import { documentStore } from '../state/document-store';
import { reportError } from '../state/errors';
import { maxPhotoSide, picture, stitchedSquare } from '../state/pictures';
import { type Session, session, sessionStore, setSession } from '../state/session-store';
import { settings, settingsStore } from '../state/settings-store';
import { editSquareNode } from './edit-square';
import { MaskPainter } from './mask-painter';
import { attachPointer } from './pointer';
import { type Scene, sceneOf, squareLook } from './scene';
import { previewCanvas } from './take-image';
import type { Surface } from './tools';
import { fitView, type Point, pan, type Size, zoomTo } from './view';

/** The canvas as the rest of the interface may steer it. */
export interface CanvasControls {
  fit(): void;
  /** one screen px per photo px */
  actualSize(): void;
  zoomBy(factor: number): void;
  invertMask(): void;
  /** paint with the brush or eraser at the canvas's own cursor (keyboard) */
  dispose(): void;
}

/**
 * Draws the stores into `container` and turns pointer and keys on it into actions. State flows one way, store →
 * Konva; Konva is never read. Three layers: photo and take, mask, and what floats above in screen px.
 */
export function mountCanvas(container: HTMLDivElement): CanvasControls {
  Konva.pixelRatio = Math.min(devicePixelRatio, 2);
  const stage = new Stage({ container, width: 1, height: 1, listening: false });
  const quiet = { listening: false } as const;
  const imageLayer = new Layer(quiet);
  const maskLayer = new Layer(quiet);
  const overlay = new Layer(quiet);
  stage.add(imageLayer, maskLayer, overlay);

  const photoNode = new Image({ ...quiet, image: undefined });
  const after = new Group(quiet);
  const takeNode = new Image({ ...quiet, image: undefined });
  after.add(takeNode);
  imageLayer.add(photoNode, after);
  const maskNode = new Image({ ...quiet, image: undefined, opacity: 0.5 });
  maskLayer.add(maskNode);
  const editSquare = editSquareNode();
  const brush = new Group({ ...quiet, visible: false });
  const brushDark = new Circle({ ...quiet, stroke: 'rgba(0,0,0,0.6)', strokeWidth: 3, radius: 1 });
  const brushLight = new Circle({ ...quiet, stroke: '#fff', strokeWidth: 1, radius: 1 });
  brush.add(brushDark, brushLight);
  const dividerNode = new Line({
    ...quiet,
    stroke: '#fff',
    strokeWidth: 2,
    shadowColor: '#000',
    shadowBlur: 6,
  });
  overlay.add(editSquare.node, dividerNode, brush);

  const enlarge = previewCanvas();
  let viewport: Size = { width: 1, height: 1 };
  let shownPhoto: string | null = null;
  let shownTake: string | null = null;
  let takeImage: ImageBitmap | undefined;
  let wasLive = false;
  let dragging = false;

  const painter = new MaskPainter(() => {
    maskNode.image(painter.canvas ?? undefined);
    maskLayer.batchDraw();
  });
  const scene = (): Scene => sceneOf(documentStore.getState().present, session());
  const surface = (): Surface | null => {
    const now = scene();
    const { photo, editable } = now;
    const judging = squareLook(documentStore.getState().present, now, session()) === 'hairline';
    return photo && { photo, viewport, editable, judging, painter };
  };

  const setView = (change: (photo: Size) => Session['view']): void => {
    const { photo } = scene();
    if (photo) setSession({ view: change(photo) });
  };
  const middle = (): Point => ({ x: viewport.width / 2, y: viewport.height / 2 });

  /** Load what the scene shows, where it is not loaded yet. */
  const load = ({ photo, take }: Scene): void => {
    if (shownPhoto !== (photo?.id ?? null)) {
      shownPhoto = photo?.id ?? null;
      photoNode.image(undefined);
      if (photo) {
        setSession({ view: fitView(photo, viewport) });
        picture(photo.id, maxPhotoSide)
          .then((bitmap) => {
            if (shownPhoto !== photo.id) return;
            photoNode.image(bitmap);
            draw();
          })
          .catch(reportError);
      }
    }
    if (shownTake !== (take?.id ?? null)) {
      shownTake = take?.id ?? null;
      takeImage = undefined;
      // the last preview stays until the finished picture is there; another take's picture must not
      if (!wasLive) takeNode.image(undefined);
      if (!take) return;
      stitchedSquare(take)
        .then((bitmap) => {
          if (shownTake !== take.id) return;
          takeImage = bitmap;
          draw();
        })
        .catch(reportError);
    }
  };

  const draw = (): void => {
    const doc = documentStore.getState().present;
    const now = scene();
    load(now);
    wasLive = now.live !== null;
    const { view, tool } = session();
    const { photo, take, live, frame, divider, showAfter, editable } = now;
    stage.visible(photo !== null);
    if (!photo) return;

    for (const node of [imageLayer, maskLayer]) {
      node.setAttrs({ scaleX: view.scale, scaleY: view.scale, x: view.x, y: view.y });
    }
    photoNode.size({ width: photo.width, height: photo.height });

    const square = live?.square ?? take?.recipe.square;
    // the last preview stays until the finished picture has been drawn once
    if (live) takeNode.image(enlarge(live.preview));
    else if (frame !== 'drawing' && (frame ?? takeImage)) takeNode.image(frame ?? takeImage);
    after.visible(showAfter && square !== undefined && takeNode.image() !== undefined);
    if (square) {
      takeNode.position(square);
      takeNode.size({ width: square.size, height: square.size });
      const from = divider ?? square.x;
      const width = square.x + square.size - from;
      after.clip({ x: from, y: square.y, width: Math.max(width, 0), height: square.size });
    }

    void painter.show(doc.photo, doc.mask);
    maskNode.visible(editable && (tool === 'brush' || tool === 'eraser'));
    maskNode.size({ width: photo.width, height: photo.height });

    const look = squareLook(doc, now, session());
    editSquare.draw(
      look === 'none' || !doc.square
        ? null
        : {
            square: doc.square,
            view,
            photo,
            handles: look === 'handles',
            dim: dragging || (tool === 'square' && look === 'handles'),
          },
    );
    dividerNode.visible(divider !== null && showAfter);
    if (divider !== null && square) {
      const x = Math.round(divider * view.scale + view.x);
      const top = square.y * view.scale + view.y;
      dividerNode.points([x, top, x, top + square.size * view.scale]);
    }
    imageLayer.batchDraw();
    overlay.batchDraw();
  };

  const showBrush = (point: Point | null): void => {
    const radius = settings().brushSize / 2;
    brush.visible(point !== null);
    if (point) brush.position({ x: point.x, y: point.y });
    brushDark.radius(radius);
    brushLight.radius(radius);
    overlay.batchDraw();
  };

  const detach = attachPointer(container, {
    surface,
    showBrush,
    setDragging(value) {
      dragging = value;
      draw();
    },
  });
  const resize = new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = container;
    if (width === 0 || height === 0) return;
    viewport = { width, height };
    stage.size(viewport);
    setView((photo) =>
      session().view.fit ? fitView(photo, viewport) : pan(session().view, { x: 0, y: 0 }, photo, viewport),
    );
    draw();
  });
  resize.observe(container);
  const unsubscribe = [
    documentStore.subscribe(draw),
    sessionStore.subscribe(draw),
    settingsStore.subscribe(() => brush.visible() && showBrush(brush.position())),
  ];

  return {
    fit: () => setView((photo) => fitView(photo, viewport)),
    actualSize: () => setView((photo) => zoomTo(session().view, 1, middle(), photo, viewport)),
    zoomBy: (factor) =>
      setView((photo) => zoomTo(session().view, session().view.scale * factor, middle(), photo, viewport)),
    invertMask: () => painter.invert(),
    dispose() {
      for (const stop of unsubscribe) stop();
      resize.disconnect();
      detach();
      stage.destroy();
    },
  };
}
