import { Tool, type ToolResult } from './tool';

export type KubectlResult = ToolResult;
export type Kubectl = Tool;

/** The real kubectl, unpacked into `directory`, which is its home too. */
export const Kubectl = {
  unpack: (directory: string, kubeconfig: string): Promise<Kubectl> =>
    Tool.unpack('kubectl', directory, kubeconfig),
};
