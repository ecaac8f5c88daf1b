import { setSettings } from '../../state/settings-store';
import { useSettings } from '../../state/use-store';
import { actions } from '../actions';
import { Keys } from '../parts/ActionButton';
import { Toggle } from '../parts/choices';
import { Modal } from '../parts/Modal';

const gestures: readonly (readonly [string, readonly string[]])[] = [
  ['Show the original (hold)', ['\\']],
  ['Pan', ['Space', 'drag']],
  ['Zoom', ['Ctrl', 'wheel']],
  ['Move the square (canvas)', ['arrows']],
  ['Resize the square (canvas)', ['Alt', 'arrows']],
];

export function HelpDialog() {
  const singleKeys = useSettings((settings) => settings.singleKeys);
  return (
    <Modal title="Keyboard shortcuts">
      <dl className="shortcuts">
        {Object.values(actions).map(
          ({ label, keys }) =>
            keys?.[0] && (
              <div key={label}>
                <dt>{label}</dt>
                <dd>
                  <Keys binding={keys[0]} />
                </dd>
              </div>
            ),
        )}
        {gestures.map(([label, keys]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <span className="keys">
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </span>
            </dd>
          </div>
        ))}
      </dl>
      <Toggle
        label="Single-key shortcuts"
        help="Off: letters alone do nothing; combinations with Ctrl or ⌘ still work."
        value={singleKeys}
        onChange={(on) => setSettings({ singleKeys: on })}
      />
    </Modal>
  );
}
