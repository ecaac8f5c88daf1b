/** A past or future state and the name of the edit between it and the present. */
export interface Entry<T> {
  readonly state: T;
  readonly label: string;
}

/**
 * Undo as a list of values. `mark` is the state before a gesture in flight (a drag, typing in a field): its updates
 * change the present only, and the whole gesture becomes one entry when it ends.
 */
export interface History<T> {
  /** oldest first */
  readonly past: readonly Entry<T>[];
  readonly present: T;
  /** next redo first */
  readonly future: readonly Entry<T>[];
  readonly mark: Entry<T> | null;
}

/** Entries kept; structural sharing makes one a few hundred bytes. */
const cap = 100;

export const newHistory = <T>(present: T): History<T> => ({ past: [], present, future: [], mark: null });

/** Close a gesture: one entry when it changed anything, none otherwise. */
export function end<T>(history: History<T>): History<T> {
  const { past, present, mark } = history;
  if (!mark) return history;
  if (mark.state === present) return { ...history, mark: null };
  return { past: [...past, mark].slice(-cap), present, future: [], mark: null };
}

export const begin = <T>(history: History<T>, label: string): History<T> => {
  const closed = end(history);
  return { ...closed, mark: { state: closed.present, label } };
};

/** Change the present inside a gesture. */
export const update = <T>(history: History<T>, present: T): History<T> => ({ ...history, present });

/** Drop the gesture and what it did. */
export const bail = <T>(history: History<T>): History<T> =>
  history.mark ? { ...history, present: history.mark.state, mark: null } : history;

/** One edit, one entry. A gesture in flight is closed first. */
export const commit = <T>(history: History<T>, label: string, present: T): History<T> =>
  end(update(begin(history, label), present));

export function undo<T>(history: History<T>): History<T> {
  const { past, present, future } = end(history);
  const last = past.at(-1);
  if (!last) return end(history);
  return {
    past: past.slice(0, -1),
    present: last.state,
    future: [{ state: present, label: last.label }, ...future],
    mark: null,
  };
}

export function redo<T>(history: History<T>): History<T> {
  const { past, present, future } = end(history);
  const [next, ...rest] = future;
  if (!next) return end(history);
  return {
    past: [...past, { state: present, label: next.label }],
    present: next.state,
    future: rest,
    mark: null,
  };
}

/**
 * Change every state at once: for what is not an edit, such as a take arriving or another one being shown, so that
 * undoing an edit neither loses nor repeats it.
 */
export function amend<T>(history: History<T>, change: (state: T) => T): History<T> {
  // one result per state: a mark that equals the present must stay equal to it
  const changed = new Map<T, T>();
  const once = (state: T): T => {
    if (!changed.has(state)) changed.set(state, change(state));
    return changed.get(state) as T;
  };
  const each = (entry: Entry<T>): Entry<T> => ({ ...entry, state: once(entry.state) });
  return {
    past: history.past.map(each),
    present: once(history.present),
    future: history.future.map(each),
    mark: history.mark && each(history.mark),
  };
}
