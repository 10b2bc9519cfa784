import { NO_NODES } from '../../control-plane/api-server/testing';
import { startKubectlServer, type KubectlServer } from './support/kubectl-server';

let host: KubectlServer;

beforeAll(async () => {
  host = await startKubectlServer({
    nodeConnections: NO_NODES,
  });
});
afterAll(() => host[Symbol.asyncDispose]());

const POLICY = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: replicas }
spec:
  failurePolicy: Fail
  paramKind: { apiVersion: v1, kind: ConfigMap }
  matchConstraints:
    resourceRules:
      - apiGroups: [apps]
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [deployments]
  variables:
    - name: max
      expression: int(params.data.maxReplicas)
  validations:
    - expression: object.spec.replicas <= variables.max
      messageExpression: "'replicas must be no more than ' + string(variables.max)"
      reason: Forbidden
    - expression: object.spec.template.spec.containers.all(c, c.image.matches('^registry[.]example/'))
      message: images must come from registry.example
---
apiVersion: v1
kind: ConfigMap
metadata: { name: limits, namespace: default }
data: { maxReplicas: "3" }
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: default-replicas }
spec:
  policyName: replicas
  validationActions: [Deny]
  paramRef: { name: limits, namespace: default, parameterNotFoundAction: Deny }
  matchResources:
    namespaceSelector:
      matchLabels: { kubernetes.io/metadata.name: default }
`;

describe('policies of admission', () => {
  it('are applied, listed and hold what kubectl asks for', async () => {
    await host.ok('apply -f -', POLICY);
    expect(await host.ok('get validatingadmissionpolicies')).toMatch(
      /NAME +VALIDATIONS +PARAMKIND +AGE\nreplicas +2 +v1\/ConfigMap/,
    );
    expect(await host.ok('get validatingadmissionpolicybindings')).toMatch(
      /NAME +POLICYNAME +PARAMREF +AGE\ndefault-replicas +replicas +default\/limits/,
    );
    await host.ok('create deployment fine --image=registry.example/a --replicas=3');
    const many = await host.kubectl('scale deployment fine --replicas=5');
    // Scaling is of a subresource, which no rule names.
    expect(many.code).toBe(0);
    const { code, stderr } = await host.kubectl(
      'create deployment many --image=registry.example/a --replicas=4',
    );
    expect(code).toBe(1);
    expect(stderr).toContain(
      'error: failed to create deployment: deployments.apps "many" is forbidden: ' +
        "ValidatingAdmissionPolicy 'replicas' with binding 'default-replicas' denied request: " +
        'replicas must be no more than 3',
    );
    const image = await host.kubectl('create deployment other --image=nginx');
    expect(image.stderr).toContain('denied request: images must come from registry.example');
  });

  it('follow their parameters, and end with their binding', async () => {
    await host.ok(`patch configmap limits -p {"data":{"maxReplicas":"9"}}`);
    await host.ok('create deployment nine --image=registry.example/a --replicas=9');
    await host.ok('delete validatingadmissionpolicybinding default-replicas');
    await host.ok('create deployment free --image=nginx --replicas=20');
  });

  it('are refused with the place in the expression', async () => {
    const broken = POLICY.replace('object.spec.replicas <=', 'objekt.spec.replicas <=');
    const { code, stderr } = await host.kubectl('apply -f -', broken.split('---')[0]);
    expect(code).toBe(1);
    expect(stderr).toContain(
      'spec.validations[0].expression: Invalid value: "objekt.spec.replicas',
    );
    expect(stderr).toContain(
      "compilation failed: ERROR: <input>:1:1: undeclared reference to 'objekt' (in container '')",
    );
  });
});
