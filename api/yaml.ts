/** The YAML surface of this room: reading manifests safely, printing objects as kubectl does. */
export { readManifests, type Manifest, type ManifestOptions } from './yaml/manifests';
export { readYaml, YamlError, type Position, type YamlDocument } from './yaml/read';
export { toYaml } from './yaml/write';
