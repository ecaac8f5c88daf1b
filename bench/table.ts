import type { Measurement } from './measure';

/** A line of the table: name, value, verdict, note. */
export function row(measurement: Measurement): string {
  const { name, value, unit, note } = measurement;
  const size = Math.abs(value);
  const number = size >= 100 ? value.toFixed(0) : value.toPrecision(3);
  const parts = [name.padEnd(58), number.padStart(8), unit.padEnd(3), verdict(measurement), note ?? ''];
  return `  ${parts.join(' ')}`.trimEnd();
}

function verdict({ value, target, within }: Measurement): string {
  if (target !== undefined) return value <= target ? `≤ ${target} ok` : `> ${target} MISSED`;
  if (within === undefined) return '';
  if (Math.abs(value) <= within) return `± ${within} ok`;
  // less than before is not what the target looks for, but not what it says either
  return value > 0 ? `± ${within} MISSED` : `± ${within} MISSED, it shrinks: no leak`;
}
