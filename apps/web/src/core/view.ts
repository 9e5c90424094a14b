/** Where a picture lies in a frame: pure arithmetic of zooming and panning. A picture's pixel p is at p * scale + origin. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface View extends Point {
  readonly scale: number;
}

const CLOSEST = 8; // CSS pixels a pixel of the result

/** The whole picture, in the middle. */
export function whole(picture: Size, frame: Size): View {
  return settle({ scale: fitScale(picture, frame), x: 0, y: 0 }, picture, frame);
}

/** Zoom so that what is under `at` stays there; never smaller than `whole`. */
export function zoomAt(view: View, factor: number, at: Point, picture: Size, frame: Size): View {
  const smallest = fitScale(picture, frame);
  const scale = Math.min(Math.max(view.scale * factor, smallest), Math.max(CLOSEST, smallest));
  const ratio = scale / view.scale;
  return settle({ scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio }, picture, frame);
}

export function panBy(view: View, by: Point, picture: Size, frame: Size): View {
  return settle({ ...view, x: view.x + by.x, y: view.y + by.y }, picture, frame);
}

/** The same place of the picture after the frame has got another size. */
export function reframe(view: View, picture: Size, before: Size, after: Size): View {
  if (isWhole(view, picture, before)) return whole(picture, after);
  const scale = Math.max(view.scale, fitScale(picture, after));
  const moved = { x: view.x + (after.width - before.width) / 2, y: view.y + (after.height - before.height) / 2 };
  return settle({ scale, ...moved }, picture, after);
}

export function isWhole(view: View, picture: Size, frame: Size): boolean {
  return view.scale <= fitScale(picture, frame) * 1.001;
}

/** No gap at an edge where the picture is larger than the frame, equal gaps where it is smaller. */
function settle(view: View, picture: Size, frame: Size): View {
  const place = (origin: number, length: number, room: number) =>
    length <= room ? (room - length) / 2 : Math.min(Math.max(origin, room - length), 0);
  return {
    scale: view.scale,
    x: place(view.x, picture.width * view.scale, frame.width),
    y: place(view.y, picture.height * view.scale, frame.height),
  };
}

function fitScale(picture: Size, frame: Size): number {
  return Math.min(frame.width / picture.width, frame.height / picture.height);
}
