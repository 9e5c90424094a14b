/** What the manifest of the bundle, with which this app was built, says. */

import manifest from "@bundle/manifest.json";
import stored from "@stored/stored.json";
import type { Precision } from "./candidates";

export interface Artifact {
  readonly file: string;
  readonly backend: string;
  readonly precision: string;
  readonly tile: number | null;
  readonly sha256: string;
  readonly size: number;
}

export const bundle = {
  scale: manifest.scale,
  align: manifest.align,
  tiles: manifest.tiles,
};

/** The ONNX file of a precision with free height and width, or null where the bundle has none. */
export function artifactOf(precision: Precision): Artifact | null {
  const artifacts: readonly Artifact[] = manifest.artifacts;
  return artifacts.find((a) => a.backend === "onnx" && a.precision === precision && a.tile === null) ?? null;
}

/** How many pixels a seam keeps clear of inner tile edges, as in Python: INT8 needs more than fp32. */
export function radiusOf(precision: Precision): number {
  const radii: Readonly<Record<string, number>> = stored.radii;
  return radii[precision] ?? manifest.receptive_radius;
}
