/** A picture and its enlargement, as far as it is done, ready to be drawn at any zoom. */

import type { Size, View } from "../core/view";
import type { OpenedPicture, ShownPart } from "../worker/protocol";

const KEPT_DETAILS = 40;

interface Detail {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly blob: Blob;
  bitmap: ImageBitmap | null;
  wanted: boolean;
}

/**
 * The overview of the result is reduced so far that a canvas can hold it. Where that is less than all pixels, each part
 * is kept as a small file too, and opened when one looks closely.
 */
export class Comparison implements Size {
  readonly width: number;
  readonly height: number;
  /** Something more can be drawn. */
  changed: () => void = () => {};
  readonly #before: ImageBitmap;
  readonly #overview: HTMLCanvasElement;
  readonly #reduction: number;
  readonly #details: Detail[] = [];
  readonly #open: Detail[] = [];

  constructor(picture: OpenedPicture) {
    this.width = picture.width;
    this.height = picture.height;
    this.#before = picture.source;
    this.#reduction = picture.reduction;
    this.#overview = document.createElement("canvas");
    this.#overview.width = Math.ceil(picture.width / picture.reduction);
    this.#overview.height = Math.ceil(picture.height / picture.reduction);
  }

  /** Pixels that are held in memory. */
  get pixels(): number {
    return this.#before.width * this.#before.height + this.#overview.width * this.#overview.height;
  }

  add({ x, y, bitmap, detail }: ShownPart): void {
    const { width, height } = bitmap;
    const by = 1 / this.#reduction;
    const context = this.#overview.getContext("2d");
    if (context !== null) {
      context.imageSmoothingQuality = "high";
      context.drawImage(bitmap, x * by, y * by, width * by, height * by);
    }
    bitmap.close();
    if (detail !== null) this.#details.push({ x, y, width, height, blob: detail, bitmap: null, wanted: false });
    this.changed();
  }

  drawBefore(context: CanvasRenderingContext2D, view: View): void {
    context.drawImage(this.#before, view.x, view.y, this.width * view.scale, this.height * view.scale);
  }

  /** `density` is the number of screen pixels per CSS pixel. */
  drawAfter(context: CanvasRenderingContext2D, view: View, frame: Size, density: number): void {
    const { x, y, scale } = view;
    context.drawImage(this.#overview, x, y, this.width * scale, this.height * scale);
    if (scale * density * this.#reduction <= 1) return;
    for (const detail of this.#details) {
      const left = x + detail.x * scale;
      const top = y + detail.y * scale;
      const right = left + detail.width * scale;
      const bottom = top + detail.height * scale;
      if (right < 0 || bottom < 0 || left > frame.width || top > frame.height) continue;
      if (detail.bitmap === null) void this.#openDetail(detail);
      else context.drawImage(detail.bitmap, left, top, right - left, bottom - top);
    }
  }

  close(): void {
    this.#before.close();
    this.#overview.width = 0;
    for (const detail of this.#open) detail.bitmap?.close();
    this.#details.length = 0;
  }

  async #openDetail(detail: Detail): Promise<void> {
    if (detail.wanted) return;
    detail.wanted = true;
    detail.bitmap = await createImageBitmap(detail.blob);
    this.#open.push(detail);
    if (this.#open.length > KEPT_DETAILS) {
      const oldest = this.#open.shift() as Detail;
      oldest.bitmap?.close();
      oldest.bitmap = null;
      oldest.wanted = false;
    }
    this.changed();
  }
}

/** A comparison of two pictures that are there already. */
export async function finishedComparison(beforeUrl: string, afterUrl: string): Promise<Comparison> {
  const [source, after] = (await Promise.all([beforeUrl, afterUrl].map(bitmapOf))) as [ImageBitmap, ImageBitmap];
  const comparison = new Comparison({ source, width: after.width, height: after.height, reduction: 1 });
  comparison.add({ x: 0, y: 0, bitmap: after, detail: null });
  return comparison;
}

async function bitmapOf(url: string): Promise<ImageBitmap> {
  return createImageBitmap(await (await fetch(url)).blob());
}
