import { editDefaults, likenessOptions } from '../../document/likeness';
import type { FitInfo } from '../../engine/events';
import { methodOf } from '../../state/edits';
import { useDocument, useSession } from '../../state/use-store';
import type { OptionField } from '../../util/options';

type Values = Readonly<Record<string, number | string | boolean>>;

/** What the likeness slider makes of the defaults, option by option. @param base  defaults of the fit */
export function LikenessChanges({ info, base }: { info: FitInfo; base: Values }) {
  const doc = useDocument((it) => it);
  const method = useSession((now) => methodOf(doc, now));
  if (!method) return null;
  const suits = editDefaults(doc, method);
  const { fit, edit } = likenessOptions(doc.likeness / 100, { fit: base, edit: suits });
  const changes = [
    ...changesOf('fit', fit, base, info.fields),
    ...changesOf('edit', edit, suits, method.fields),
  ];
  if (changes.length === 0) {
    return <p className="help likeness-changes">The likeness slider is in the middle: it changes nothing.</p>;
  }
  return (
    <div className="help likeness-changes">
      <p>The likeness slider makes:</p>
      <ul>
        {changes.map((change) => (
          <li key={change}>{change}</li>
        ))}
      </ul>
    </div>
  );
}

/** 'Steps of the fit 40 → 28' */
const changesOf = (
  stage: string,
  changed: Values,
  defaults: Values,
  fields: Readonly<Record<string, OptionField>>,
): string[] =>
  Object.entries(changed).map(
    ([name, value]) => `${fields[name]?.label ?? name} of the ${stage}: ${defaults[name]} → ${value}`,
  );
