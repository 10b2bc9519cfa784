import { kinds } from '../api/scheme';
import { named, WELL_KNOWN } from './well-known';

it.each(WELL_KNOWN.map((known) => [known.plural, known] as const))(
  'knows %s by the names that the server has for it',
  (_plural, known) => {
    const served = kinds().find(
      ({ resource }) => resource.group === known.group && resource.kind === known.kind,
    );
    const { resource, singular, shortNames } = served!;
    expect(known).toEqual(named(resource, singular, shortNames));
  },
);
