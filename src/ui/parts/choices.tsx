import { ChevronDown } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { Label } from 'react-aria-components/Label';
import { ListBox, ListBoxItem } from 'react-aria-components/ListBox';
import { Popover } from 'react-aria-components/Popover';
import { Select, SelectValue } from 'react-aria-components/Select';
import { Switch } from 'react-aria-components/Switch';
import { Text } from 'react-aria-components/Text';

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly choices: readonly { readonly id: string; readonly label: string }[];
  readonly help?: string | undefined;
  readonly isDisabled?: boolean;
  readonly onChange: (value: string) => void;
}

/** One of a few. */
export function Choice({ label, value, choices, help, isDisabled = false, onChange }: ChoiceProps) {
  return (
    <Select
      className="field"
      value={value}
      isDisabled={isDisabled}
      onChange={(key) => key !== null && key !== value && onChange(String(key))}
    >
      <Label>{label}</Label>
      <Button className="select-button">
        <SelectValue />
        <ChevronDown aria-hidden size={15} />
      </Button>
      {help && (
        <Text slot="description" className="help">
          {help}
        </Text>
      )}
      <Popover className="popover" offset={4}>
        <ListBox className="list">
          {choices.map((choice) => (
            <ListBoxItem key={choice.id} id={choice.id} className="list-item" textValue={choice.label}>
              {choice.label}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </Select>
  );
}

interface ToggleProps {
  readonly label: string;
  readonly value: boolean;
  readonly help?: string | undefined;
  readonly onChange: (value: boolean) => void;
}

export function Toggle({ label, value, help, onChange }: ToggleProps) {
  return (
    <div className="field">
      <Switch className="switch" isSelected={value} onChange={onChange}>
        <span className="track" aria-hidden>
          <span className="knob" />
        </span>
        {label}
      </Switch>
      {help && <span className="help">{help}</span>}
    </div>
  );
}
