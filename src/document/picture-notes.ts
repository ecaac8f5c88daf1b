/** Bits in which the looks of two pictures may differ and still be the same scene. */
const alikeBits = 6;

/** @param look 64 bits in hex */
function alike(look: string, other: string): boolean {
  let different = BigInt(`0x${look}`) ^ BigInt(`0x${other}`);
  let bits = 0;
  for (; different > 0n; different &= different - 1n) bits++;
  return bits <= alikeBits;
}

/**
 * What to tell of a concept's pictures, in their order: null where there is nothing to say.
 *
 * @param checks null: not looked at yet
 */
export const pictureNotes = (
  checks: readonly ({ readonly blurred: boolean; readonly look: string } | null)[],
): readonly (string | null)[] =>
  checks.map((check, index) => {
    if (!check) return null;
    const same = checks.findIndex((other, at) => at < index && other && alike(check.look, other.look));
    if (same >= 0) return `nearly the same as picture ${same + 1}`;
    return check.blurred ? 'looks blurred' : null;
  });
