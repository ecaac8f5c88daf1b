import { Dices } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { NumberInput } from './fields';

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
      <Button
        className="button plain icon"
        aria-label="New seed"
        onPress={() => onChange(Math.floor(Math.random() * seeds))}
      >
        <Dices aria-hidden size={17} strokeWidth={1.75} />
      </Button>
    </div>
  );
}
