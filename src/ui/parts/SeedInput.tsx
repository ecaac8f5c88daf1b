import { Dices } from 'lucide-react';
import { NumberInput } from './fields';
import { IconButton } from './IconButton';

/** Seeds of 32 bits: what PyTorch's generator takes, and short enough to read aloud. */
const seeds = 2 ** 32;

export function SeedInput({ value, onChange }: { value: number; onChange: (seed: number) => void }) {
  return (
    <div className="seed">
      <NumberInput
        label="Seed"
        value={value}
        min={0}
        max={seeds - 1}
        step={1}
        compact
        help="The same seed gives the same result."
        onChange={onChange}
      />
      <IconButton
        className="button plain icon"
        label="New seed"
        onPress={() => onChange(Math.floor(Math.random() * seeds))}
      >
        <Dices aria-hidden size={17} strokeWidth={1.75} />
      </IconButton>
    </div>
  );
}
