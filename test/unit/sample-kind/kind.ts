import { defineKind } from '../../../api/kinds';
import { VOYAGES, type Voyage } from './resource';
import { validateVoyage, validateVoyageUpdate } from './validation';

export const VOYAGE_KIND = defineKind(VOYAGES, {
  shortNames: ['voy'],
  subresources: ['status'],
  fields: { 'spec.ship': ({ spec }) => spec.ship },
  applyDefaults: (voyage: { spec?: { stops?: number } }) => {
    if (voyage.spec !== undefined) voyage.spec.stops ??= 1;
  },
  validateCreate: validateVoyage,
  validateUpdate: validateVoyageUpdate,
  validateStatusUpdate: () => [],
  warnings: ({ spec }: Voyage) => (spec.stops === 0 ? ['spec.stops: it will never land'] : []),
});
