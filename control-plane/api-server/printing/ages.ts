export { ageOf, formatAge } from '../../../lib/age';
