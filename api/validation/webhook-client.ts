import type { WebhookClientConfig } from '../types';
import { invalid, required, type FieldError } from './field-error';
import { dns1123SubdomainProblems } from '../names';

/** How a webhook is reached: by exactly one of a URL and a service. */
export const validateWebhookClient = (
  { url, service }: WebhookClientConfig,
  field: string,
): readonly FieldError[] => {
  if (url !== undefined && service === undefined) return validateWebhookUrl(url, `${field}.url`);
  if (url === undefined && service !== undefined)
    return validateWebhookService(service, `${field}.service`);
  return [required(field, 'exactly one of url or service is required')];
};

const validateWebhookUrl = (url: string, field: string): readonly FieldError[] => {
  const [, scheme = '', authority = '', query = '', fragment = ''] = PARTS.exec(url) ?? [];
  const at = authority.lastIndexOf('@');
  const [user, host] =
    at < 0 ? [undefined, authority] : [authority.slice(0, at), authority.slice(at + 1)];
  const errors = [
    ...(scheme === 'https'
      ? []
      : [invalid(field, scheme, `'https' is the only allowed URL scheme${FORM}`)]),
    ...(host === '' ? [invalid(field, host, `host must be provided${FORM}`)] : []),
    ...(user === undefined
      ? []
      : [invalid(field, user, 'user information is not permitted in the URL')]),
    ...(fragment === ''
      ? []
      : [invalid(field, fragment, 'fragments are not permitted in the URL')]),
    ...(query === ''
      ? []
      : [invalid(field, query, 'query parameters are not permitted in the URL')]),
  ];
  return errors.length > 0 || URL.canParse(url)
    ? errors
    : [
        required(
          field,
          `url must be a valid URL: parse ${JSON.stringify(url)}: invalid host${FORM}`,
        ),
      ];
};

type Service = NonNullable<WebhookClientConfig['service']>;

const validateWebhookService = (
  { name, namespace, path, port = 443 }: Service,
  field: string,
): readonly FieldError[] => [
  ...(name === '' ? [required(`${field}.name`, 'service name is required')] : []),
  ...(namespace === '' ? [required(`${field}.namespace`, 'service namespace is required')] : []),
  ...(port < 1 || port > 65_535
    ? [invalid(`${field}.port`, port, 'port is not valid: must be between 1 and 65535, inclusive')]
    : []),
  ...validatePath(path ?? '', `${field}.path`),
];

const validatePath = (path: string, field: string): readonly FieldError[] => {
  if (path === '' || path === '/') return [];
  if (path === '//') return [invalid(field, path, 'segment[0] may not be empty')];
  return [
    ...(path.startsWith('/') ? [] : [invalid(field, path, "must start with a '/'")]),
    ...path
      .slice(1)
      .replace(/\/$/, '')
      .split('/')
      .flatMap((segment, i) =>
        segment === ''
          ? [invalid(field, path, `segment[${i}] may not be empty`)]
          : dns1123SubdomainProblems(segment).map((why) =>
              invalid(field, path, `segment[${i}]: ${why}`),
            ),
      ),
  ];
};

/** Source: RFC 3986, appendix B. */
const PARTS = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?/s;
const FORM = '; desired format: https://host[/path]';
