import { afterEach, expect, test, vi } from 'vitest';
import { createLogger, formatLog, logLevelFrom, recentLog, setLogLevel } from './log';

afterEach(() => {
  setLogLevel('warn');
  vi.restoreAllMocks();
});

test('prints from the chosen level on and keeps everything', () => {
  const info = vi.spyOn(console, 'info').mockImplementation(() => {});
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  const log = createLogger('storage');
  log.info('quiet', { bytes: 3 });
  log.error('loud');
  expect(info).not.toHaveBeenCalled();
  expect(error).toHaveBeenCalledWith('[storage]', 'loud');
  setLogLevel('info');
  log.info('now heard');
  expect(info).toHaveBeenCalledOnce();
  expect(formatLog(recentLog().slice(-3))).toMatch(
    /info \[storage\] quiet \{"bytes":3\}\n.*loud\n.*now heard$/,
  );
});

test('keeps the last 500 entries', () => {
  const log = createLogger('ring');
  for (let i = 0; i < 600; i++) log.debug(i);
  expect(recentLog()).toHaveLength(500);
  expect(recentLog().at(0)?.text).toBe('100');
});

test('the level comes from the page address', () => {
  expect(logLevelFrom('?a=1&log=debug')).toBe('debug');
  expect(logLevelFrom('?log=shout')).toBe('warn');
});
