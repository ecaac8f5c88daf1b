import * as canvas from '../canvas/mounted';
import { shownTake } from '../document/actions';
import type { Document } from '../document/document';
import { lookedAt } from '../state/attention';
import { notRunnable, retryChain, runChain, stopChain } from '../state/chain';
import { currentDocument, documentStore, inOrder, redo, undo } from '../state/document-store';
import { retryEdit } from '../state/edits';
import { restartEngine } from '../state/engine';
import { pauseFitting, resumeFitting, retryFitting } from '../state/fitting';
import { frameOf, showFrame } from '../state/frames';
import { pauseLearning, resumeLearning, retryLearning } from '../state/learning';
import { copyReport, openDemo } from '../state/photos';
import { liveJob, type Session, session, setSession, type Tool } from '../state/session-store';
import { setSettings, settings } from '../state/settings-store';
import { choosePhoto } from './choose-files';
import { chooseModelFolder } from './choose-folder';

export interface Action {
  readonly label: string;
  /** tinykeys bindings; the first is shown */
  readonly keys?: readonly string[];
  /** only while the canvas has focus: the browser needs the key elsewhere */
  readonly onCanvas?: boolean;
  enabled(doc: Document, session: Session): boolean;
  run(): void;
}

const always = (): boolean => true;
const hasPhoto = (doc: Document): boolean => doc.photo !== null;
const tool = (name: Tool, label: string, key: string): Action => ({
  label,
  keys: [key],
  enabled: hasPhoto,
  run: () => setSession({ tool: name }),
});
const resizeBrush = (factor: number): void =>
  setSettings({ brushSize: Math.min(Math.max(Math.round(settings().brushSize * factor), 4), 400) });

/** The step of the shown take that lies `by` from the one on the canvas; null when there is none. */
function stepFrom(doc: Document, now: Session, by: number): number | null {
  const take = shownTake(doc);
  if (!take?.frames || liveJob(now)) return null;
  const next = frameOf(now, take).index + by;
  return next >= 0 && next < take.steps ? next : null;
}
function goStep(by: number): void {
  const take = shownTake(currentDocument());
  const next = stepFrom(currentDocument(), session(), by);
  if (take && next !== null) showFrame(take, next, frameOf(session(), take).of);
}

function pauseOrResume(): void {
  const { fitting, learning } = session();
  const paused = (fitting ?? learning)?.phase === 'paused';
  if (fitting) (paused ? resumeFitting : pauseFitting)();
  else (paused ? resumeLearning : pauseLearning)();
}

const retries: Readonly<Record<Session['failed'], () => Promise<void>>> = {
  edit: retryEdit,
  learning: retryLearning,
  fitting: retryFitting,
  chain: retryChain,
};

const table = {
  run: {
    label: 'Run',
    keys: ['$mod+Enter'],
    enabled: (doc: Document, now: Session) => notRunnable(doc, now) === null,
    run: () => void runChain(),
  },
  stop: {
    label: 'Stop and keep the result so far',
    keys: ['Shift+X'],
    enabled: (_: Document, { edit, fitting, chain }: Session) =>
      edit ? edit.stopping === 'no' : fitting !== null || chain,
    run: stopChain,
  },
  'pause-learning': {
    label: 'Pause or resume learning or fitting',
    keys: ['Shift+P'],
    enabled: (_: Document, { learning, fitting }: Session) =>
      ['running', 'paused'].includes((fitting ?? learning)?.phase ?? ''),
    run: pauseOrResume,
  },
  'open-photo': { label: 'Open photo', keys: ['$mod+o'], enabled: always, run: choosePhoto },
  'open-model': {
    label: 'Open model',
    enabled: (_: Document, now: Session) => now.copying === null,
    run: chooseModelFolder,
  },
  demo: {
    label: 'Try the demo',
    enabled: (_: Document, now: Session) => !now.edit && !now.fitting && now.busy === null,
    run: () => void openDemo(),
  },
  export: {
    label: 'Export',
    keys: ['$mod+Shift+e'],
    enabled: (doc: Document) => shownTake(doc) !== null,
    run: () => setSession({ dialog: { kind: 'export' } }),
  },
  attention: {
    label: 'Attention',
    keys: ['a'],
    enabled: (doc: Document, now: Session) => lookedAt(doc, now) !== null,
    run: () => setSession({ dialog: { kind: 'attention' } }),
  },
  undo: {
    label: 'Undo',
    keys: ['$mod+z'],
    enabled: () => {
      const { past, mark } = documentStore.getState();
      return past.length > 0 || mark !== null;
    },
    run: () => void inOrder(undo),
  },
  redo: {
    label: 'Redo',
    keys: ['$mod+Shift+z', '$mod+y'],
    enabled: () => documentStore.getState().future.length > 0,
    run: () => void inOrder(redo),
  },
  move: tool('move', 'Move', 'v'),
  square: tool('square', 'Draw square', 'c'),
  brush: tool('brush', 'Paint mask', 'b'),
  eraser: tool('eraser', 'Erase mask', 'e'),
  hand: tool('hand', 'Pan', 'h'),
  'brush-smaller': {
    label: 'Smaller brush',
    keys: ['['],
    enabled: hasPhoto,
    run: () => resizeBrush(1 / 1.2),
  },
  'brush-larger': { label: 'Larger brush', keys: [']'], enabled: hasPhoto, run: () => resizeBrush(1.2) },
  compare: {
    label: 'Compare',
    keys: ['m'],
    enabled: (doc: Document, now: Session) =>
      shownTake(doc) !== null && !liveJob(now) && now.tool !== 'brush' && now.tool !== 'eraser',
    run: () => setSession({ comparing: !session().comparing }),
  },
  'frame-before': {
    label: 'Step before',
    keys: [','],
    enabled: (doc: Document, now: Session) => stepFrom(doc, now, -1) !== null,
    run: () => goStep(-1),
  },
  'frame-after': {
    label: 'Step after',
    keys: ['.'],
    enabled: (doc: Document, now: Session) => stepFrom(doc, now, 1) !== null,
    run: () => goStep(1),
  },
  'zoom-fit': {
    label: 'Fit the photo',
    keys: ['$mod+0', 'Shift+Digit1'],
    onCanvas: true,
    enabled: hasPhoto,
    run: canvas.fit,
  },
  'zoom-actual': {
    label: 'Actual size',
    keys: ['$mod+1', 'Shift+Digit0'],
    onCanvas: true,
    enabled: hasPhoto,
    run: canvas.actualSize,
  },
  'zoom-in': { label: 'Zoom in', enabled: hasPhoto, run: () => canvas.zoomBy(1.25) },
  'zoom-out': { label: 'Zoom out', enabled: hasPhoto, run: () => canvas.zoomBy(0.8) },
  help: {
    label: 'Keyboard shortcuts',
    keys: ['Shift+?', '?'],
    enabled: always,
    run: () => setSession({ dialog: { kind: 'help' } }),
  },
  retry: {
    label: 'Try again',
    enabled: (_: Document, now: Session) => now.edit === null && now.fitting === null,
    run: () => void retries[session().failed](),
  },
  'restart-engine': { label: 'Restart the engine', enabled: always, run: restartEngine },
  'copy-report': { label: 'Copy report', enabled: always, run: () => void copyReport() },
} satisfies Record<string, Action>;

export type ActionId = keyof typeof table;
/** Everything a person can do by name: buttons, keys and the help dialog read this table. */
export const actions: Readonly<Record<ActionId, Action>> = table;

export const isEnabled = (id: ActionId): boolean => actions[id].enabled(currentDocument(), session());
export function perform(id: ActionId): void {
  if (isEnabled(id)) actions[id].run();
}
