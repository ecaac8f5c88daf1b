import type { OptionValue } from '../../document/document';
import type { OptionField } from '../../util/options';
import { Choice, Toggle } from './choices';
import { NumberInput } from './fields';

interface Props {
  readonly field: OptionField;
  readonly value: OptionValue;
  readonly onChange: (value: OptionValue) => void;
}

/** One option of a method, as its kind asks. */
export function OptionInput({ field, value, onChange }: Props) {
  const { label, help, min, max, step } = field;
  if (typeof value === 'boolean') {
    return <Toggle label={label} help={help} value={value} onChange={onChange} />;
  }
  if (field.choices) {
    const choices = field.choices.map((choice) => ({ id: choice, label: choice }));
    return <Choice label={label} help={help} value={String(value)} choices={choices} onChange={onChange} />;
  }
  return (
    <NumberInput
      label={label}
      help={help}
      value={Number(value)}
      min={min}
      max={max}
      step={step}
      onChange={onChange}
    />
  );
}
