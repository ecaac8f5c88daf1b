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
  takes: [],
  shown: null,
};
