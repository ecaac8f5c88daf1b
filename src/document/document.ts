/** Content id of immutable bytes in storage: lower-case hex SHA-256. */
export type BlobId = string;

/** A stored picture, EXIF orientation already applied. Pixels live in storage under `id`, never here. */
export interface ImageRef {
  readonly id: BlobId;
  readonly name: string;
  /** px, upright */
  readonly width: number;
  readonly height: number;
}

/** The edited region, in whole photo px, inside the photo. */
export interface Square {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

export type OptionValue = number | string | boolean;

/** A picture of a concept and the square of it that is learned from. */
export interface ConceptPicture {
  readonly image: ImageRef;
  readonly square: Square;
}

export type PresetName = 'quick' | 'balanced' | 'best';

/** A learned concept as edits and files know it: a file in storage and the words that call it up. */
export interface ConceptRef {
  /** content id of the concept file */
  readonly id: BlobId;
  /** 'Miso' */
  readonly name: string;
  /** the new word, '<miso>' */
  readonly token: string;
  /** what it is, 'cat' */
  readonly classWord: string;
  /** words that stand for it in a prompt: '<miso>', '<miso> cat' */
  readonly subject: string;
  /** row of the table of learning methods; for imported files what the file says, else its kind; recipes of old lack it */
  readonly method?: string;
}

/** What learning or importing left behind. */
export interface LearnedConcept extends ConceptRef {
  readonly method: string;
  /** complete options it was learned with; empty where a file does not tell */
  readonly options: Readonly<Record<string, OptionValue>>;
  /** steps done; 0 where a file does not tell. Asked for: `options.steps` */
  readonly steps: number;
  /** what it was learned from; none for imported files */
  readonly pictures: readonly { readonly id: BlobId; readonly square: Square }[];
  readonly seed: number;
  /** the base it belongs to: model id, and hash where known */
  readonly model: string;
  readonly baseHash: string | null;
}

/** A training run as it was after a step: what it had learned can be used in edits. */
export interface ConceptCheckpoint {
  readonly step: number;
  /** content id of the run's state (weights, moments); null: the result, which ended it */
  readonly state: BlobId | null;
  /** what was learned by then; its id tells one from another */
  readonly learned: LearnedConcept;
  /** a person picked it: it outlives its run */
  readonly kept?: boolean;
}

/** One that a run goes on from: `LearnRequest.resume` takes its state. */
export interface RunCheckpoint extends ConceptCheckpoint {
  readonly state: BlobId;
}

/** A concept fitted to one photo, as recipes name it. */
export interface FitRef {
  /** content id of the fit's file */
  readonly id: BlobId;
  /** SHA-256 (hex) of everything that decided it: equal keys are equal fits */
  readonly key: string;
  /** complete, as it was made: where its file is gone it can be made again */
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly seed: number;
}

/** What a fit is of, and how it is made: where all of it is equal, so is the fit. */
export interface FitOf {
  /** content id of the concept's file */
  readonly concept: BlobId;
  /** id of the model that it was made on */
  readonly model: string;
  readonly photo: BlobId;
  readonly square: Square;
  readonly sourcePrompt: string;
  /** as the personalised model reads it */
  readonly targetPrompt: string;
  /** complete */
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly seed: number;
}

/** A concept fitted to one frame of one photo. It never takes the concept's place. */
export interface FittedConcept extends FitRef, FitOf {
  /** steps done; fewer than `options.steps` when finished early */
  readonly steps: number;
  /** the concept in the photo's layout, as the fit learned from it */
  readonly samples: readonly ImageRef[];
}

/** A fit that did not come to its end, as it was after a step. */
export interface UnfinishedFit extends FitOf {
  readonly step: number;
  /** content id of the run's state, which `FitRequest.resume` takes */
  readonly state: BlobId;
}

/** Whether and how concepts are fitted to the photo before an edit. */
export interface FitSettings {
  /** false: edits use concepts as they were learned */
  readonly on: boolean;
  /** only what differs from the defaults for the concept's method of learning */
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly seed: number;
}

/** "My cat Miso": pictures, how to learn from them, and what was learned. */
export interface Concept {
  readonly id: string;
  readonly name: string;
  readonly classWord: string;
  readonly token: string;
  /** none for an imported concept */
  readonly pictures: readonly ConceptPicture[];
  /** row of the table of learning methods */
  readonly method: string;
  readonly preset: PresetName;
  /** only what differs from the preset */
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly seed: number;
  readonly model: string;
  /** null: not learned yet */
  readonly learned: LearnedConcept | null;
  /** of a run that is not finished, and those a person picked; oldest first */
  readonly checkpoints: readonly ConceptCheckpoint[];
  /** `state` of the checkpoint that an unfinished run goes on from; null: none is unfinished */
  readonly unfinished: BlobId | null;
}

/** A step of an edit that was recorded: 0-based, the latent after it. */
export interface FrameRef {
  /** content id of the recorded steps */
  readonly frames: BlobId;
  readonly frame: number;
}

/**
 * Everything that determines an edit, and nothing that does not (no times, no machine): the same recipe on the same
 * photo, model and backend gives the same picture. Plain JSON; travels inside exported PNGs.
 */
export interface Recipe {
  readonly app: 'DreamSteerer Studio';
  readonly version: 1;
  /** model id, e.g. 'starter' */
  readonly model: string;
  /** row of `editing/methods.ts`: 'sds' | 'dds' | 'dds-s' | 'dds-sm' */
  readonly method: string;
  readonly sourcePrompt: string;
  readonly targetPrompt: string;
  /** words of the source prompt that are replaced; null when nothing stands out (then the mask is all ones) */
  readonly subject: string | null;
  readonly seed: number;
  /** options of the method (steps, guidanceScale, stepSize …), complete: defaults are written out */
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly photo: { readonly id: BlobId; readonly width: number; readonly height: number };
  readonly square: Square;
  /** painted mask over the whole photo, white = edit; null: automatic */
  readonly mask: BlobId | null;
  /** what takes the subject's place (the target branch sees it, the source branch the plain model); null: words alone */
  readonly concept: ConceptRef | null;
  /** the concept as it was fitted to this square; absent: as it was learned */
  readonly fit?: FitRef;
  /** the step of another edit of this square that it goes on from; absent: it starts from the photo */
  readonly from?: FrameRef;
}

/** One edit result, append-only. */
export interface Take {
  readonly id: string;
  readonly recipe: Recipe;
  /** the edited square at model resolution */
  readonly square: ImageRef;
  /** the unedited square after encode and decode: stitching leaves alone what equals it */
  readonly reconstruction: ImageRef;
  /** soft mask that was used, white = edited; null: none */
  readonly maskUsed: ImageRef | null;
  /** steps done; fewer than asked when stopped */
  readonly steps: number;
  readonly stopped: boolean;
  /** content id of its recorded steps, where they were kept */
  readonly frames?: BlobId;
}

/** What a project is: immutable plain JSON; an edit of it is a pure function in `actions.ts`. */
export interface Document {
  readonly version: 1;
  readonly photo: ImageRef | null;
  readonly square: Square | null;
  readonly mask: ImageRef | null;
  readonly sourcePrompt: string;
  readonly targetPrompt: string;
  /** null: found by word diff */
  readonly subject: string | null;
  readonly method: string;
  readonly seed: number;
  /** only what differs from the method's defaults */
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly model: string;
  /** the recorded step that the next edit goes on from; absent: the photo */
  readonly from?: FrameRef;
  readonly concepts: readonly Concept[];
  /** id of the concept that edits use; null: none */
  readonly concept: string | null;
  /** newest last */
  readonly fits: readonly FittedConcept[];
  readonly fitting: FitSettings;
  /** with a concept in use: 0 keep the photo … 100 look like the concept; see `likeness.ts` */
  readonly likeness: number;
  /** the one that was interrupted last; null: none */
  readonly unfinishedFit: UnfinishedFit | null;
  readonly takes: readonly Take[];
  /** id of the take on the canvas */
  readonly shown: string | null;
}

export const emptyDocument: Document = {
  version: 1,
  photo: null,
  square: null,
  mask: null,
  sourcePrompt: '',
  targetPrompt: '',
  subject: null,
  method: 'dds-sm',
  seed: 0,
  options: {},
  model: 'starter',
  concepts: [],
  concept: null,
  fits: [],
  fitting: { on: true, options: {}, seed: 0 },
  likeness: 50,
  unfinishedFit: null,
  takes: [],
  shown: null,
};
