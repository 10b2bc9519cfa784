/** The YAML surface of this room: reading manifests safely, printing objects as kubectl does. */
export { readManifests, type ManifestOptions } from './yaml/manifests';
export { readYaml, YamlError } from './yaml/read';
export { toYaml } from './yaml/write';
