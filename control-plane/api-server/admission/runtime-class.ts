import { textAt } from '../kinds/mutable';
import type { AdmissionPlugin } from './admission-plugin';
import { isNewPod, specIn } from './pods';
import { refusal } from './refusal';

/** Whoever asks for a sandbox must not run without: there are no classes that could be found. */
export const runtimeClass: AdmissionPlugin = {
  name: 'RuntimeClass',
  handles: isNewPod,
  admit: (asked) => {
    const name = textAt(specIn(asked), 'runtimeClassName');
    if (name !== '') throw refusal(asked, `pod rejected: RuntimeClass "${name}" not found`);
    return false;
  },
};
