import { DEPLOYMENTS, PODS, SERVICE_ACCOUNTS } from '../resources';
import { warningsFor } from '../scheme';
import { deployment, made, pod, refusal } from '../testing';

describe('protections that Dhow cannot give', () => {
  const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io';
  const why = (what: string) =>
    `needs ${what}, which Dhow does not support; nothing runs with less than it asks for`;

  it.each<[string, object, object, string]>([
    ['hostUsers', { hostUsers: false }, {}, `false: ${why('user namespaces')}`],
    [
      'securityContext.appArmorProfile.type',
      { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } },
      {},
      `"RuntimeDefault": ${why('AppArmor')}`,
    ],
    [
      'securityContext.seLinuxOptions',
      { securityContext: { seLinuxOptions: { level: 's0' } } },
      {},
      `{"level":"s0"}: ${why('SELinux')}`,
    ],
    [
      'securityContext.windowsOptions',
      { securityContext: { windowsOptions: { runAsUserName: 'a' } } },
      {},
      `{"runAsUserName":"a"}: ${why('Windows')}`,
    ],
    [
      'securityContext.supplementalGroupsPolicy',
      { securityContext: { supplementalGroupsPolicy: 'Strict' } },
      {},
      `"Strict": ${why('the groups that an image gives its user to be left out')}`,
    ],
    [
      'containers[0].securityContext.appArmorProfile.type',
      {},
      { securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: 'p' } } },
      `"Localhost": ${why('AppArmor')}`,
    ],
    [
      'containers[0].securityContext.seLinuxOptions',
      {},
      { securityContext: { seLinuxOptions: { type: 't' } } },
      `{"type":"t"}: ${why('SELinux')}`,
    ],
    [
      'containers[0].securityContext.windowsOptions',
      {},
      { securityContext: { windowsOptions: { hostProcess: true } } },
      `{"hostProcess":true}: ${why('Windows')}`,
    ],
    [
      'containers[0].securityContext.procMount',
      {},
      { securityContext: { procMount: 'Unmasked' } },
      '"Unmasked": `hostUsers` must be false to use `Unmasked`',
    ],
  ])('refuse a pod and a workload: %s', (field, spec, container, message) => {
    expect(refusal(PODS, pod(spec, container))).toEqual([
      `spec.${field}: Invalid value: ${message}`,
    ]);
    const asked = deployment({}, pod(spec, container).spec);
    expect(refusal(DEPLOYMENTS, asked)).toEqual([
      `spec.template.spec.${field}: Invalid value: ${message}`,
    ]);
  });

  it('refuse the annotation that names an AppArmor profile, also one that is added later', () => {
    const named = (profile: string) => ({
      ...pod(),
      metadata: { name: 'web', annotations: { [`${APP_ARMOR}/c`]: profile } },
    });
    const expected = [
      `metadata.annotations[${APP_ARMOR}/c]: Invalid value: "runtime/default": ${why('AppArmor')}`,
    ];
    expect(refusal(PODS, named('runtime/default'))).toEqual(expected);
    expect(refusal(PODS, named('runtime/default'), pod())).toEqual(expected);
    expect(refusal(PODS, named('unconfined'))).toEqual([]);
  });

  it('refuse an account that would hold its pods to a list of secrets', () => {
    const annotations = { 'kubernetes.io/enforce-mountable-secrets': 'true' };
    const account = { metadata: { name: 'a', annotations } };
    const expected =
      'metadata.annotations[kubernetes.io/enforce-mountable-secrets]: Invalid value: "true": ' +
      why('its pods to be held to a list of secrets');
    expect(refusal(SERVICE_ACCOUNTS, account)).toEqual([expected]);
    expect(refusal(SERVICE_ACCOUNTS, account, account)).toEqual([]);
  });

  it('let be what asks for nothing', () => {
    const securityContext = {
      appArmorProfile: { type: 'Unconfined' },
      seLinuxOptions: {},
      windowsOptions: {},
    };
    const spec = {
      hostUsers: true,
      securityContext: { ...securityContext, supplementalGroupsPolicy: 'Merge' },
    };
    const container = { securityContext: { ...securityContext, procMount: 'Default' } };
    expect(refusal(PODS, pod(spec, container))).toEqual([]);
    expect(warningsFor(made(PODS, pod(spec, container)))).toEqual([]);
  });

  it('let a stored workload that asks for one be scaled, and ask for no more', () => {
    const old = deployment({}, { hostUsers: false });
    expect(refusal(DEPLOYMENTS, deployment({ replicas: 0 }, { hostUsers: false }), old)).toEqual(
      [],
    );
    const more = { hostUsers: false, securityContext: { seLinuxOptions: { type: 't' } } };
    expect(refusal(DEPLOYMENTS, deployment({}, more), old)).toEqual([
      expect.stringContaining('spec.template.spec.securityContext.seLinuxOptions'),
    ]);
  });
});
