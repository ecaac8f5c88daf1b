import { Minus, Plus } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { Group } from 'react-aria-components/Group';
import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { NumberField } from 'react-aria-components/NumberField';
import { Text } from 'react-aria-components/Text';
import { TextArea } from 'react-aria-components/TextArea';
import { TextField } from 'react-aria-components/TextField';
import { begin, end } from '../../state/document-store';

interface NumberProps {
  readonly label: string;
  readonly value: number;
  readonly onChange: (value: number) => void;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly step?: number | undefined;
  readonly help?: string | undefined;
  readonly isDisabled?: boolean;
  /** small: no stepper buttons */
  readonly compact?: boolean;
}

/** A number with a label, a stepper and a line of help. */
export function NumberInput({
  label,
  value,
  onChange,
  min,
  max,
  step,
  help,
  isDisabled = false,
  compact,
}: NumberProps) {
  return (
    <NumberField
      className={`field number${compact ? ' compact' : ''}`}
      value={value}
      onChange={(next) => Number.isFinite(next) && next !== value && onChange(next)}
      isDisabled={isDisabled}
      formatOptions={{ useGrouping: false, maximumFractionDigits: 8 }}
      {...(min !== undefined && { minValue: min })}
      {...(max !== undefined && { maxValue: max })}
      {...(step !== undefined && { step })}
    >
      <Label>{label}</Label>
      <Group className="number-group">
        <Input />
        {!compact && (
          <>
            <Button slot="decrement" className="stepper">
              <Minus aria-hidden size={13} />
            </Button>
            <Button slot="increment" className="stepper">
              <Plus aria-hidden size={13} />
            </Button>
          </>
        )}
      </Group>
      {help && (
        <Text slot="description" className="help">
          {help}
        </Text>
      )}
    </NumberField>
  );
}

interface TextProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** name of the undo step that typing in this field makes */
  readonly edit: string;
  readonly placeholder?: string;
  readonly rows?: number;
}

/** Text of the document: typing is one undo step per visit. */
export function TextInput({ label, value, onChange, edit, placeholder, rows }: TextProps) {
  return (
    <TextField className="field" value={value} onChange={onChange} onFocus={() => begin(edit)} onBlur={end}>
      <Label>{label}</Label>
      {rows ? (
        <TextArea
          rows={rows}
          placeholder={placeholder}
          // one line of words: Enter alone means nothing here
          onKeyDown={(event) => event.key === 'Enter' && event.preventDefault()}
        />
      ) : (
        <Input placeholder={placeholder ?? ''} />
      )}
    </TextField>
  );
}
