/** A step of the pod network failed. `step` names it (`address`, `veth`, `route`, ...). */
export class NetworkError extends Error {
  constructor(
    readonly step: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'NetworkError';
  }
}
