import { withCondition } from '../../../api/custom-resources/conditions';
import { CLEANUP_FINALIZER } from '../../../api/custom-resources/definitions';
import { CUSTOM_RESOURCE_DEFINITION_KIND } from '../../../api/kinds/custom-resource-definition';
import type { CustomResourceDefinition } from '../../../api/types';
import { NAME, printer } from '../printing/columns';
import { fieldsAt, isFields, listAt, textAt, type MutableObject } from './mutable';
import { serveKind, type Strategy } from './served-kind';

const STRATEGY: Strategy = {
  hasGeneration: true,
  hasStatus: true,
  createsOnUpdate: false,
  prepareCreate: (definition) => {
    definition.status = {
      conditions: [],
      acceptedNames: { plural: '', kind: '' },
      storedVersions: storageVersions(definition),
    };
  },
  // Whatever objects were ever stored in is remembered.
  prepareUpdate: (definition) => {
    const known = listAt(definition, 'status', 'storedVersions');
    const storedVersions = [...new Set([...known, ...storageVersions(definition)])];
    definition.status = { ...definition.status, storedVersions };
  },
  // Its objects go before it.
  prepareDelete: (definition) => {
    const finalizers = new Set([...(definition.metadata.finalizers ?? []), CLEANUP_FINALIZER]);
    definition.metadata.finalizers = [...finalizers];
    const { conditions } = withCondition(
      definition as unknown as CustomResourceDefinition,
      {
        type: 'Terminating',
        status: 'True',
        reason: 'InstanceDeletionPending',
        message:
          'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
      },
      definition.metadata.deletionTimestamp ?? '',
    );
    definition.status = { ...fieldsAt(definition, 'status'), conditions };
  },
};

const storageVersions = (definition: MutableObject): readonly string[] =>
  listAt(definition, 'spec', 'versions')
    .filter((version) => isFields(version) && version['storage'] === true)
    .map((version) => textAt(version, 'name'));

const PRINTER = printer(NAME, {
  column: { name: 'Created At', type: 'date', priority: 0 },
  cell: ({ metadata }) => metadata.creationTimestamp ?? '',
});

export const CUSTOM_RESOURCE_DEFINITION = serveKind(CUSTOM_RESOURCE_DEFINITION_KIND, {
  strategy: STRATEGY,
  printer: PRINTER,
});
