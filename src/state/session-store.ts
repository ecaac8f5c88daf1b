import { createStore } from 'zustand/vanilla';
import type { ConceptCheckpoint, ImageRef, Recipe, Square } from '../document/document';
import type { EngineInfo, StageName } from '../engine/events';
import type { StoredModel } from '../storage/models';
import type { ErrorCode } from '../util/errors';

export type Tool = 'move' | 'square' | 'brush' | 'eraser' | 'hand';

/** screen px = photo px · scale + (x, y), relative to the canvas. `fit`: follow the window until the person zooms or pans. */
export interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
  readonly fit: boolean;
}

/** The edit that is running, as far as the screen shows it. */
export interface RunningEdit {
  readonly photo: string;
  readonly square: Square;
  readonly stage: StageName | 'queued';
  /** of the stage, [0,1]; null: unknown */
  readonly fraction: number | null;
  readonly step: number;
  readonly total: number;
  /** s; null until enough steps were timed */
  readonly secondsLeft: number | null;
  /** latest look of the square */
  readonly preview: ImageBitmap | null;
  /** Stop was pressed; 'overdue' when there was no answer for five seconds */
  readonly stopping: 'no' | 'asked' | 'overdue';
}

/** A job that trains, as far as the screen shows it. */
export interface Training {
  /** 'done': finished, still to be looked at */
  readonly phase: 'running' | 'pausing' | 'paused' | 'finishing' | 'cancelling' | 'done';
  readonly stage: StageName | 'queued';
  /** of the stage, [0,1]; null: unknown */
  readonly fraction: number | null;
  readonly step: number;
  readonly total: number;
  /** s; null until enough steps were timed */
  readonly secondsLeft: number | null;
}

/** The concept that is being learned. */
export interface Learning extends Training {
  /** id of the concept */
  readonly concept: string;
  /** what it looked like, oldest first, always from the same noise */
  readonly samples: readonly { readonly step: number; readonly image: ImageRef }[];
  /** those that are still stored, oldest first */
  readonly checkpoints: readonly ConceptCheckpoint[];
}

/** The step of a take that is looked at in the place of its result. */
export interface ShownFrame {
  /** id of the take */
  readonly take: string;
  /** 0-based */
  readonly index: number;
  readonly of: 'picture' | 'direction';
  /** the latest that could be drawn, of this take and kind; `gain`: what a direction was multiplied by to be seen */
  readonly drawn: { readonly index: number; readonly picture: ImageBitmap; readonly gain: number } | null;
}

/** The concept that is being fitted to a photo. */
export interface Fitting extends Training {
  /** its name */
  readonly name: string;
  readonly photo: string;
  readonly square: Square;
  /** latest look of the square: the photo as the model sees it, then the first of the guided samples */
  readonly preview: ImageBitmap | null;
}

/** A model on its way into storage. */
export interface CopyingModel {
  readonly label: string;
  readonly bytes: number;
  /** 0 while it is still being checked */
  readonly total: number;
  /** s; null: not known yet */
  readonly secondsLeft: number | null;
}

/** Something to know that stays until it is closed. Errors carry a code; what to say about it is the interface's. */
export interface Notice {
  readonly id: number;
  readonly code: ErrorCode | 'UNEXPECTED' | null;
  readonly message: string;
}

export type Dialog =
  | { readonly kind: 'export' }
  | { readonly kind: 'help' }
  | { readonly kind: 'attention' }
  /** an imported model is to go */
  | { readonly kind: 'remove-model'; readonly model: StoredModel }
  /** a dropped picture that carries its recipe: what to do with it */
  | { readonly kind: 'recipe'; readonly image: ImageRef; readonly recipe: Recipe }
  /** a dropped picture while a photo is open: instead of it, or for a concept */
  | { readonly kind: 'picture'; readonly image: ImageRef };

export interface Session {
  readonly engine: 'starting' | 'ready' | 'restarting' | 'failed';
  /** of the document's model; of the bundled one while `noModel` */
  readonly info: EngineInfo | null;
  /** why the document's model cannot be used, in words; null when it can */
  readonly noModel: string | null;
  /** imported ones, by label */
  readonly models: readonly StoredModel[];
  /** the model that is being copied; null when none is */
  readonly copying: CopyingModel | null;
  readonly tool: Tool;
  readonly view: View;
  /** before/after divider, [0,1] of the edited square's width */
  readonly comparing: boolean;
  readonly divider: number;
  /** original shown while a key or button is held */
  readonly holdOriginal: boolean;
  readonly edit: RunningEdit | null;
  /** null, or of another take than the shown one: the result is shown */
  readonly frame: ShownFrame | null;
  readonly learning: Learning | null;
  readonly fitting: Fitting | null;
  /** one press of Run is under way: what is missing is learned and fitted, then the edit runs */
  readonly chain: boolean;
  /** what failed last: what "Try again" tries */
  readonly failed: 'edit' | 'learning' | 'fitting' | 'chain';
  /** what a file is doing: 'Opening photo…'; null when nothing is */
  readonly busy: string | null;
  readonly notices: readonly Notice[];
  /** last thing said in the status region */
  readonly status: string;
  readonly dialog: Dialog | null;
  /** id of the concept whose card is open */
  readonly openConcept: string | null;
  readonly saved: 'saved' | 'saving' | 'failed';
}

/** Everything on the screen that is neither undoable nor saved. */
export const sessionStore = createStore<Session>(() => ({
  engine: 'starting',
  info: null,
  noModel: null,
  models: [],
  copying: null,
  tool: 'move',
  view: { scale: 1, x: 0, y: 0, fit: true },
  comparing: true,
  divider: 0.5,
  holdOriginal: false,
  edit: null,
  frame: null,
  learning: null,
  fitting: null,
  chain: false,
  failed: 'edit',
  busy: null,
  notices: [],
  status: '',
  dialog: null,
  openConcept: null,
  saved: 'saved',
}));

export const session = (): Session => sessionStore.getState();
export const setSession = (change: Partial<Session>): void => sessionStore.setState(change);

/** What draws in the square of the photo at hand, in the place of takes. */
export const liveJob = ({ edit, fitting }: Session): RunningEdit | Fitting | null =>
  edit ?? (fitting?.phase === 'paused' ? null : fitting);

/** Nothing runs that needs a model. */
export const isIdle = ({ edit, learning, fitting, chain }: Session): boolean =>
  !edit && !fitting && !chain && (learning === null || learning.phase === 'done');

export const updateEdit = (change: Partial<RunningEdit>): void =>
  sessionStore.setState(({ edit }) => (edit ? { edit: { ...edit, ...change } } : {}));

export const updateLearning = (change: Partial<Learning>): void =>
  sessionStore.setState(({ learning }) => (learning ? { learning: { ...learning, ...change } } : {}));

/** What was learned has been looked at: other things need the room. A run that goes on stays in sight. */
export const closeLearned = (): void =>
  sessionStore.setState(({ learning }) => (learning?.phase === 'done' ? { learning: null } : {}));

export const updateFitting = (change: Partial<Fitting>): void =>
  sessionStore.setState(({ fitting }) => (fitting ? { fitting: { ...fitting, ...change } } : {}));

export const announce = (status: string): void => setSession({ status });

let notices = 0;
export function notify(code: Notice['code'], message: string): void {
  const notice: Notice = { id: ++notices, code, message };
  // one of a kind: the latest says it all
  const others = session().notices.filter((other) => other.code !== code || other.message !== message);
  setSession({ notices: [...others, notice].slice(-4) });
}
export const dismiss = (id: number): void =>
  setSession({ notices: session().notices.filter((notice) => notice.id !== id) });
