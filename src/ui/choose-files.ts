import { openFiles } from '../state/photos';

/** The hidden file field in App. It is always there: Chromium opens no dialog for one that is made on a first key press. */
export const fileInputId = 'file-input';

type Take = (files: readonly File[]) => void;
let take: Take = () => {};

/** The browser's file dialog. `then` is called with what was chosen, not when nothing was. */
export function chooseFiles(accept: string, multiple: boolean, then: Take): void {
  const input = document.getElementById(fileInputId) as HTMLInputElement | null;
  if (!input) return;
  take = then;
  Object.assign(input, { accept, multiple });
  input.click();
}

/** What the file field got. */
export function filesChosen(input: HTMLInputElement): void {
  take([...(input.files ?? [])]);
  // the same file may be chosen again
  input.value = '';
}

export const choosePhoto = (): void =>
  chooseFiles('image/*', false, (files) => void openFiles(files, 'photo'));
