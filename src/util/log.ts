const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LEVELS)[number];

export interface LogEntry {
  /** ms since the epoch */
  readonly time: number;
  readonly level: LogLevel;
  readonly scope: string;
  readonly text: string;
}

export type Logger = Readonly<Record<LogLevel, (...parts: readonly unknown[]) => void>>;

/** Lines kept for a bug report; one ring per thread. */
const KEPT = 500;
const ring: LogEntry[] = [];
let threshold: LogLevel = 'warn';

/** Print this level and above; everything is kept in the ring whatever the level. */
export function setLogLevel(level: LogLevel): void {
  threshold = level;
}

/** The level asked for by a page address, e.g. `?log=debug`; 'warn' when none is. */
export function logLevelFrom(search: string): LogLevel {
  const asked = new URLSearchParams(search).get('log');
  return LEVELS.find((level) => level === asked) ?? 'warn';
}

/** The latest entries of this thread, oldest first. */
export const recentLog = (): readonly LogEntry[] => [...ring];

/** One line per entry, as pasted into a bug report. */
export const formatLog = (entries: readonly LogEntry[]): string =>
  entries.map((e) => `${new Date(e.time).toISOString()} ${e.level} [${e.scope}] ${e.text}`).join('\n');

const words = (part: unknown): string => {
  if (typeof part === 'string') return part;
  if (part instanceof Error) return part.stack ?? String(part);
  return JSON.stringify(part, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)) ?? String(part);
};

/**
 * A logger for one part of the program. Nothing is sent anywhere: entries go to the console from the chosen level on
 * and to a ring that the person may copy. Prompts and file names do not belong in it.
 */
export function createLogger(scope: string): Logger {
  const at =
    (level: LogLevel) =>
    (...parts: readonly unknown[]): void => {
      ring.push({ time: Date.now(), level, scope, text: parts.map(words).join(' ') });
      if (ring.length > KEPT) ring.shift();
      if (LEVELS.indexOf(level) >= LEVELS.indexOf(threshold)) console[level](`[${scope}]`, ...parts);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
