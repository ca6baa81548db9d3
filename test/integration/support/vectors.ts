/** Steering vectors that fit the embedded model. */
import type * as vscode from "vscode";
import { encodeSafetensors } from "../../../src/formats/safetensors.ts";
import type { Services } from "../../../src/host/services.ts";

/** Vectors [layers, hidden] of the embedded model: another pseudo-random direction at each layer. */
export function testVectors(): { layers: number; hidden: number; values: Float32Array } {
  const layers = 6;
  const hidden = 288;
  const values = Float32Array.from({ length: layers * hidden }, (_, i) => Math.sin(1 + i * i));
  return { layers, hidden, values };
}

/** Writes them as a vector file of the workspace, as another program would. */
export async function writeTestVector(services: Services, name: string): Promise<vscode.Uri> {
  const { layers, hidden, values } = testVectors();
  const tensors = Array.from({ length: layers }, (_, layer) => ({
    name: `direction.${layer}`,
    dtype: "F32" as const,
    shape: [hidden],
    data: values.subarray(layer * hidden, (layer + 1) * hidden),
  }));
  return services.vectors.write(name, encodeSafetensors(tensors, {}));
}
