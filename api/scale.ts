import type { ApiObject } from './types';

/** autoscaling/v1 Scale: the replicas of any scalable object, seen alike. */
export interface Scale extends ApiObject {
  readonly spec: { readonly replicas?: number };
  readonly status: { readonly replicas: number; readonly selector?: string };
}
