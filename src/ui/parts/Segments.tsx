import { ToggleButton } from 'react-aria-components/ToggleButton';
import { ToggleButtonGroup } from 'react-aria-components/ToggleButtonGroup';

interface Props<Id extends string> {
  readonly label: string;
  readonly value: Id;
  readonly choices: readonly (readonly [id: Id, label: string])[];
  readonly onChange: (value: Id) => void;
  /** how they are set out; default side by side in a bar */
  readonly className?: string;
}

/** One of a few, all in sight. */
export function Segments<Id extends string>({
  label,
  value,
  choices,
  onChange,
  className = 'segments',
}: Props<Id>) {
  return (
    <ToggleButtonGroup
      className={className}
      aria-label={label}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[value]}
      onSelectionChange={([key]) => key !== undefined && onChange(key as Id)}
    >
      {choices.map(([id, text]) => (
        <ToggleButton key={id} id={id} className="button quiet small">
          {text}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}
