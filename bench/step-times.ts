import type { EditEvent } from '../src/engine/events';

/** ms from each step of an edit to the next: the step, its preview, and the way of both to whoever asks. */
export async function stepTimes(events: AsyncIterable<EditEvent>): Promise<number[]> {
  const times: number[] = [];
  let from: number | null = null;
  for await (const { kind } of events) {
    if (kind !== 'step') continue;
    const now = performance.now();
    if (from !== null) times.push(now - from);
    from = now;
  }
  return times;
}
