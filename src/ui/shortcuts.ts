import { tinykeys } from 'tinykeys';
import { session, setSession } from '../state/session-store';
import { settings } from '../state/settings-store';
import { type ActionId, actions, isEnabled } from './actions';

const isText = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches('input:not([type=range]), textarea, select'));
const hasModifier = (keys: string): boolean => keys.includes('$mod');

/** Binds the table of actions to the window. @returns how to unbind */
export function bindShortcuts(): () => void {
  const bindings: Record<string, (event: KeyboardEvent) => void> = {};
  for (const [id, { keys = [], onCanvas }] of Object.entries(actions)) {
    for (const key of keys) {
      bindings[key] = (event) => {
        const target = event.target;
        if (session().dialog) return;
        if (onCanvas && !(target instanceof HTMLElement && target.closest('.stage'))) return;
        // text fields have their own undo, and single keys are letters there
        if (isText(target) && (!hasModifier(key) || id === 'undo' || id === 'redo')) return;
        if (!hasModifier(key) && !settings().singleKeys) return;
        event.preventDefault();
        if (isEnabled(id as ActionId)) actions[id as ActionId].run();
      };
    }
  }
  const hold = (down: boolean) => (event: KeyboardEvent) => {
    if (event.key !== '\\' || isText(event.target) || !settings().singleKeys) return;
    if (session().holdOriginal !== down) setSession({ holdOriginal: down });
  };
  const [press, release] = [hold(true), hold(false)];
  // the key may be let go in another window
  const leave = (): void => setSession({ holdOriginal: false });
  const unbind = tinykeys(window, bindings);
  addEventListener('keydown', press);
  addEventListener('keyup', release);
  addEventListener('blur', leave);
  return () => {
    unbind();
    removeEventListener('keydown', press);
    removeEventListener('keyup', release);
    removeEventListener('blur', leave);
  };
}

const mac = /Mac|iP(hone|ad)/.test(navigator.platform);
const symbols: Readonly<Record<string, string>> = mac
  ? { $mod: '⌘', Shift: '⇧', Enter: '↩', Alt: '⌥' }
  : { $mod: 'Ctrl', Enter: 'Enter' };

/** A binding as a person reads it: 'Ctrl + Shift + E'. */
export const keyLabels = (binding: string): readonly string[] =>
  (binding === 'Shift+?' ? '?' : binding)
    .split('+')
    .map((part) => symbols[part] ?? part.replace('Digit', '').replace(/^[a-z]$/, (key) => key.toUpperCase()));
