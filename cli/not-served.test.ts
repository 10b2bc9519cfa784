import { KINDS } from '../api/kinds';
import { unservedKind, verbElsewhere } from './not-served';

describe('what Dhow does not serve yet', () => {
  it.each(KINDS.map(({ resource: { kind, plural } }) => [kind, plural] as const))(
    'does not name %s, which is served',
    (kind, plural) => {
      expect(unservedKind(kind)).toBeUndefined();
      expect(unservedKind(plural)).toBeUndefined();
    },
  );

  it.each([
    ['flowschemas', 'FlowSchema'],
    ['FlowSchema', 'FlowSchema'],
    ['flowschemas.v1', 'FlowSchema'],
    ['vac', 'VolumeAttributesClass'],
    ['widgets', undefined],
    ['', undefined],
  ])('knows %j as %s', (name, kind) => {
    expect(unservedKind(name)).toBe(kind);
  });

  it('tells verbs that kubectl carries out from its own', () => {
    expect(verbElsewhere('proxy')).toContain('kubectl --kubeconfig lab.kubeconfig proxy');
    expect(verbElsewhere('get')).toBeUndefined();
  });
});
