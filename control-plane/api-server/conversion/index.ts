export { Conversions } from './conversions';
export { ConversionError } from './webhook-converter';
