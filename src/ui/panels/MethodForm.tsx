import { ChevronRight, RotateCcw } from 'lucide-react';
import { Button } from 'react-aria-components/Button';
import { Disclosure, DisclosurePanel } from 'react-aria-components/Disclosure';
import { Heading } from 'react-aria-components/Heading';
import { resetOptions, setMethod, setOption, setSeed } from '../../document/actions';
import type { OptionValue } from '../../document/document';
import { editBase } from '../../document/likeness';
import type { EditMethodInfo } from '../../engine/events';
import { commit } from '../../state/document-store';
import { methodOf } from '../../state/edits';
import { session } from '../../state/session-store';
import { setSettings } from '../../state/settings-store';
import { useDocument, useSession, useSettings } from '../../state/use-store';
import { Choice } from '../parts/choices';
import { OptionInput } from '../parts/OptionInput';
import { SeedInput } from '../parts/SeedInput';
import { Hardware } from './Hardware';

/** In sight without opening anything. */
const simple = ['steps'];
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
      <SeedInput value={seed} onChange={(next) => commit('Set seed', (doc) => setSeed(doc, next))} />
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
          <Hardware />
        </DisclosurePanel>
      </Disclosure>
    </section>
  );
}

function Field({ method, name }: { method: EditMethodInfo; name: string }) {
  const field = method.fields[name]!;
  const fallback = useDocument((doc) => editBase(doc, method)[name]!);
  const value = useDocument((doc) => doc.options[name]) ?? fallback;
  const set = (next: OptionValue): void =>
    commit(`Set ${field.label.toLowerCase()}`, (doc) =>
      next === fallback ? resetOptions(doc, name) : setOption(doc, name, next),
    );
  return <OptionInput field={field} value={value} onChange={set} />;
}
