/** Cross-origin isolation: gives the page SharedArrayBuffer, and with it WASM threads. */
export const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
} as const;

const policy = (directives: Readonly<Record<string, string>>): string =>
  Object.entries(directives)
    .map(([name, sources]) => `${name} ${sources}`)
    .join('; ');

const everywhere = {
  'default-src': "'self'",
  // Photos and results are shown and exported from memory (blob:); nothing else may be reached.
  'connect-src': "'self' blob: data:",
  'img-src': "'self' blob: data:",
  'object-src': "'none'",
  'base-uri': "'none'",
  'form-action': "'none'",
};

/**
 * Policy of the page itself, put into index.html by the build: no inline script and no eval; styles may be inline because
 * React Aria injects a few rules.
 */
export const pagePolicy = policy({
  ...everywhere,
  'script-src': "'self' 'wasm-unsafe-eval'",
  'style-src': "'self' 'unsafe-inline'",
});

/**
 * Headers the studio is best served with. A worker takes its policy from its own response, not from the page, so this
 * one is for the workers: it bars every other host as the page's does, and allows eval because protobufjs compiles its
 * encoders at run time. The page obeys both.
 */
export const responseHeaders = {
  ...isolationHeaders,
  'Content-Security-Policy': policy({
    ...everywhere,
    'script-src': "'self' 'wasm-unsafe-eval' 'unsafe-eval'",
    'style-src': "'self' 'unsafe-inline'",
  }),
} as const;
