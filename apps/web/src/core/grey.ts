/** Whether a file holds a grey picture, from its header: decoders give RGB either way. */

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47];
const PNG_COLOUR_TYPE = 25;
const PNG_GREY = [0, 4];
const JPEG_START = [0xff, 0xd8];

/** True of PNG files with colour type grey (with or without alpha) and of JPEG files with a single component. */
export function isGrey(file: Uint8Array): boolean {
  if (startsWith(file, PNG_SIGNATURE)) return PNG_GREY.includes(file[PNG_COLOUR_TYPE] ?? -1);
  return startsWith(file, JPEG_START) && jpegComponents(file) === 1;
}

function startsWith(file: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, i) => file[i] === byte);
}

/** The number of components in the frame header (SOF0 to SOF15, but not DHT, JPG and DAC), 0 where there is none. */
function jpegComponents(file: Uint8Array): number {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = 2;
  while (at + 9 < file.length && file[at] === 0xff) {
    const marker = file[at + 1] as number;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return file[at + 9] as number;
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return 0;
}
