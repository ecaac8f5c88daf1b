import { ChevronRight, Dices, RotateCcw } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { Disclosure, DisclosurePanel } from 'react-aria-components/Disclosure';
import { Heading } from 'react-aria-components/Heading';
import { resetOptions, setMethod, setOption, setSeed } from '../../document/actions';
import type { MethodInfo } from '../../engine/events';
import { commit } from '../../state/document-store';
import { methodOf } from '../../state/edits';
import { session } from '../../state/session-store';
import { setSettings } from '../../state/settings-store';
import { useDocument, useSession, useSettings } from '../../state/use-store';
import { Choice, Toggle } from '../parts/choices';
import { NumberInput } from '../parts/fields';

/** In sight without opening anything. */
const simple = ['steps'];
/** Seeds of 32 bits: what PyTorch's generator takes, and short enough to read aloud. */
const seeds = 2 ** 32;

/** One form for every method, present and future: built from what the engine says of it. */
export function MethodForm() {
  const info = useSession((now) => now.info);
  const name = useDocument((doc) => doc.method);
  const method = useDocument((doc) => methodOf(doc, session()));
  const seed = useDocument((doc) => doc.seed);
  const changed = useDocument((doc) => Object.keys(doc.options).length > 0);
  const advanced = useSettings((settings) => settings.advanced);
  if (!info || !method) return null;
  const fields = Object.keys(method.fields);
  return (
    <section aria-labelledby="settings-heading">
      <h2 id="settings-heading">Settings</h2>
      {fields
        .filter((field) => simple.includes(field))
        .map((field) => (
          <Field key={field} method={method} name={field} />
        ))}
      <div className="seed">
        <NumberInput
          label="Seed"
          value={seed}
          min={0}
          max={seeds - 1}
          step={1}
          compact
          help="The same seed gives the same result."
          onChange={(next) => commit('Set seed', (doc) => setSeed(doc, next))}
        />
        <Button
          className="button plain icon"
          aria-label="New seed"
          onPress={() => commit('New seed', (doc) => setSeed(doc, Math.floor(Math.random() * seeds)))}
        >
          <Dices aria-hidden size={17} strokeWidth={1.75} />
        </Button>
      </div>
      <Disclosure
        className="disclosure"
        isExpanded={advanced}
        onExpandedChange={(open) => setSettings({ advanced: open })}
      >
        <Heading level={3}>
          <Button slot="trigger" className="disclosure-trigger">
            <ChevronRight aria-hidden size={15} /> Advanced
          </Button>
        </Heading>
        <DisclosurePanel className="disclosure-panel">
          <Choice
            label="Method"
            value={name}
            choices={info.methods.map((row) => ({ id: row.name, label: row.label }))}
            help={method.help}
            onChange={(next) => commit('Choose method', (doc) => setMethod(doc, next))}
          />
          {fields
            .filter((field) => !simple.includes(field))
            .map((field) => (
              <Field key={field} method={method} name={field} />
            ))}
          <Button
            className="button plain small"
            isDisabled={!changed}
            onPress={() => commit('Reset settings', (doc) => resetOptions(doc))}
          >
            <RotateCcw aria-hidden size={14} /> Reset to defaults
          </Button>
        </DisclosurePanel>
      </Disclosure>
    </section>
  );
}

function Field({ method, name }: { method: MethodInfo; name: string }) {
  const field = method.fields[name]!;
  const fallback = method.defaults[name]!;
  const value = useDocument((doc) => doc.options[name]) ?? fallback;
  const set = (next: number | string | boolean): void =>
    commit(`Set ${field.label.toLowerCase()}`, (doc) =>
      next === fallback ? resetOptions(doc, name) : setOption(doc, name, next),
    );
  if (typeof fallback === 'boolean') {
    return <Toggle label={field.label} help={field.help} value={value === true} onChange={set} />;
  }
  if (field.choices) {
    const choices = field.choices.map((choice) => ({ id: choice, label: choice }));
    return (
      <Choice label={field.label} help={field.help} value={String(value)} choices={choices} onChange={set} />
    );
  }
  return (
    <NumberInput
      label={field.label}
      help={field.help}
      value={Number(value)}
      min={field.min}
      max={field.max}
      step={field.step}
      onChange={set}
    />
  );
}
