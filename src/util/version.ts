/** Of this program, as in package.json; recorded in the files it writes. */
export const APP_VERSION = '0.1.0';
