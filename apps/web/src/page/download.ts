/** The result as a file. The worker made a PNG; other formats are made of that. */

interface Format {
  readonly mime: string;
  readonly suffix: string;
  /** The longest side in pixels that the format can hold. */
  readonly longest: number;
  readonly alpha: boolean;
}

export const FORMATS = {
  png: { mime: "image/png", suffix: ".png", longest: Infinity, alpha: true },
  jpeg: { mime: "image/jpeg", suffix: ".jpg", longest: 65500, alpha: false },
  webp: { mime: "image/webp", suffix: ".webp", longest: 16383, alpha: true },
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof FORMATS;

const QUALITY = 0.95;
const MOST_PIXELS = 64e6; // browsers encode from one canvas, which takes four bytes a pixel, twice

/** Why a result of this size cannot be had in a format, or null. */
export function whyNotAs(name: FormatName, width: number, height: number): string | null {
  const format: Format = FORMATS[name];
  if (name === "png" || (width * height <= MOST_PIXELS && Math.max(width, height) <= format.longest)) return null;
  const megapixels = Math.round((width * height) / 1e6);
  return `${megapixels} megapixels are too many for ${name.toUpperCase()} in a browser; take PNG`;
}

/** The PNG in another format, on white where that knows no transparency. */
export async function convert(png: Blob, name: FormatName): Promise<Blob> {
  const format: Format = FORMATS[name];
  if (name === "png") return png;
  const bitmap = await createImageBitmap(png);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser gives no canvas; take PNG");
  if (!format.alpha) {
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const blob = await canvas.convertToBlob({ type: format.mime, quality: QUALITY });
  if (blob.type !== format.mime) throw new Error(`this browser cannot write ${name.toUpperCase()}; take PNG`);
  return blob;
}

/** The name of the file: photo.jpg becomes photo_x4.png. */
export function nameOf(original: string, scale: number, name: FormatName): string {
  const stem = original.replace(/\.[^./\\]+$/, "") || "picture";
  return `${stem}_x${scale}${FORMATS[name].suffix}`;
}

/** Have the browser save a file. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
