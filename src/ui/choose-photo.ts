/** The hidden file field in App. */
export const photoInputId = 'photo-input';

/** The browser's file dialog. */
export const choosePhoto = (): void => document.getElementById(photoInputId)?.click();
