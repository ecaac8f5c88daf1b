import { openFiles } from '../state/photos';

/** The hidden file field in App. It is always there: Chromium opens no dialog for one that is made on a first key press. */
export const fileInputId = 'file-input';

type Take = (files: readonly File[]) => void;
let take: Take = () => {};

interface Wanted {
  /** endings or types, with commas; default: any file */
  readonly accept?: string;
  readonly multiple?: boolean;
  /** a whole folder: all that is in it */
  readonly folder?: boolean;
}

/** The browser's file dialog. `then` is called with what was chosen, not when nothing was. */
export function chooseFiles({ accept = '', multiple = false, folder = false }: Wanted, then: Take): void {
  const input = document.getElementById(fileInputId) as HTMLInputElement | null;
  if (!input) return;
  take = then;
  Object.assign(input, { accept, multiple, webkitdirectory: folder });
  input.click();
}

/** What the file field got. */
export function filesChosen(input: HTMLInputElement): void {
  take([...(input.files ?? [])]);
  // the same file may be chosen again
  input.value = '';
}

export const choosePhoto = (): void =>
  chooseFiles({ accept: 'image/*' }, (files) => void openFiles(files, 'photo'));
