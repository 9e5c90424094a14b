/** What page and worker say to each other. */

import type { Verdict } from "../engine/choose";

/** To the worker. A picture is asked for only after the one before it has ended. */
export type Request =
  | { readonly type: "start"; readonly engine: string | null }
  | { readonly type: "enlarge"; readonly id: number; readonly file: File; readonly tile: number | null }
  | { readonly type: "cancel"; readonly id: number };

/** A part of the result as the page shows it: its place in the result, and its pixels. */
export interface ShownPart {
  readonly x: number;
  readonly y: number;
  readonly bitmap: ImageBitmap;
  /** The pixels once more, small, where the page keeps a reduced overview only. */
  readonly detail: Blob | null;
}

/** To the page. */
export type Report =
  | { readonly type: "trying"; readonly label: string }
  | {
      readonly type: "ready";
      readonly chosen: Verdict;
      readonly verdicts: readonly Verdict[];
      readonly threads: number;
    }
  | { readonly type: "unusable"; readonly message: string }
  | { readonly type: "opened"; readonly id: number; readonly picture: OpenedPicture }
  | {
      readonly type: "tile";
      readonly id: number;
      readonly done: number;
      readonly total: number;
      readonly part: ShownPart;
    }
  | { readonly type: "done"; readonly id: number; readonly png: Blob; readonly speed: Speed }
  | { readonly type: "failed"; readonly id: number; readonly message: string }
  | { readonly type: "cancelled"; readonly id: number };

export interface OpenedPicture {
  readonly source: ImageBitmap;
  /** Of the result, in pixels. */
  readonly width: number;
  readonly height: number;
  /** By how much the page's overview of the result is reduced: 1, 2 or 4. */
  readonly reduction: number;
}

export interface Speed {
  readonly tiles: number;
  /** The sides of a tile that the network saw, in pixels of the input. */
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly seconds: number;
}
