/** A file becomes upright 8-bit sRGB pixels. */

import { isGrey } from "../core/grey";
import { hasAlpha, type Kind, type Pixels } from "../core/layers";

const MOST_PIXELS = 50e6;
const STRIP = 256; // rows read at a time: canvases have limits that pictures do not know

export interface Picture {
  readonly pixels: Pixels;
  readonly kind: Kind;
  readonly bitmap: ImageBitmap;
}

/** Throws, with a message for the visitor, for what is not a picture, is damaged or too large. */
export async function decode(file: File): Promise<Picture> {
  if (file.size === 0) throw new Error(`${file.name} is empty (0 bytes); get the file again`);
  const bitmap = await open(file);
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    bitmap.close();
    throw new Error(`${file.name} has more than ${MOST_PIXELS / 1e6} megapixels; cut it into parts first`);
  }
  const pixels = readPixels(bitmap);
  const header = new Uint8Array(await file.arrayBuffer());
  return { pixels, kind: { grey: isGrey(header), alpha: hasAlpha(pixels) }, bitmap };
}

async function open(file: File): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none" });
  } catch {
    throw new Error(`${file.name} cannot be read as a picture; check that it is whole, or convert it to PNG or JPEG`);
  }
}

function readPixels(bitmap: ImageBitmap): Pixels {
  const { width, height } = bitmap;
  const data = new Uint8ClampedArray(4 * width * height);
  const strip = new OffscreenCanvas(width, Math.min(STRIP, height));
  const context = strip.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("this browser gives no canvas to read pictures with; try another browser");
  for (let top = 0; top < height; top += strip.height) {
    const rows = Math.min(strip.height, height - top);
    context.clearRect(0, 0, width, strip.height);
    context.drawImage(bitmap, 0, -top);
    data.set(context.getImageData(0, 0, width, rows).data, 4 * width * top);
  }
  return { width, height, data };
}
