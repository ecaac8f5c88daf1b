import { Button } from 'react-aria-components/Button';
import { leaveBranch } from '../../document/actions';
import { commit } from '../../state/document-store';
import { useDocument } from '../../state/use-store';

/** Settings of a take that had branched off: Run starts where it did, which must not come as a surprise. */
export function BranchNote() {
  const from = useDocument((doc) => doc.from);
  if (!from) return null;
  return (
    <p className="branch-note">
      Run goes on from step {from.frame + 1} of an earlier take.{' '}
      <Button className="button link" onPress={() => commit('Start from the photo', leaveBranch)}>
        Start from the photo
      </Button>
    </p>
  );
}
