/** Fingers, mouse, wheel and keys on the before/after view. */

import type { Point } from "../core/view";

/** What gestures do. Points are in CSS pixels of the element. */
export interface Movable {
  readonly zoomed: boolean;
  readonly dividerX: number;
  moveDivider(x: number): void;
  zoom(factor: number, at?: Point): void;
  pan(by: Point): void;
  showAll(): void;
}

const REACH = 28; // how near the divider a drag takes hold of it
const WHEEL = 0.002;
const KEY_STEP = 60;

const KEYS: Record<string, (movable: Movable) => void> = {
  "+": (movable) => movable.zoom(1.5),
  "=": (movable) => movable.zoom(1.5),
  "-": (movable) => movable.zoom(1 / 1.5),
  "0": (movable) => movable.showAll(),
  ArrowLeft: (movable) => movable.pan({ x: KEY_STEP, y: 0 }),
  ArrowRight: (movable) => movable.pan({ x: -KEY_STEP, y: 0 }),
  ArrowUp: (movable) => movable.pan({ x: 0, y: KEY_STEP }),
  ArrowDown: (movable) => movable.pan({ x: 0, y: -KEY_STEP }),
};

/**
 * One finger or the mouse moves the divider, or, when zoomed in and away from the divider, the picture; two fingers zoom.
 * The wheel zooms with Ctrl (as pinching a trackpad does), or once zoomed in: otherwise the page scrolls.
 */
export function listenToGestures(element: HTMLElement, movable: Movable): void {
  const fingers = new Map<number, Point>();
  let onDivider = false;

  const place = (event: MouseEvent): Point => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  element.addEventListener("pointerdown", (event) => {
    const at = place(event);
    element.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at);
    onDivider = fingers.size === 1 && (!movable.zoomed || Math.abs(at.x - movable.dividerX) < REACH);
    if (onDivider) movable.moveDivider(at.x);
  });

  element.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    const now = place(event);
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, now);
    if (other !== undefined)
      movable.zoom(distance(now, other) / Math.max(distance(before, other), 1), middle(now, other));
    else if (onDivider) movable.moveDivider(now.x);
    else movable.pan({ x: now.x - before.x, y: now.y - before.y });
  });

  for (const end of ["pointerup", "pointercancel"] as const) {
    element.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      onDivider = false;
    });
  }

  element.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !movable.zoomed) return;
      event.preventDefault();
      movable.zoom(Math.exp(-event.deltaY * WHEEL * (event.ctrlKey ? 4 : 1)), place(event));
    },
    { passive: false },
  );

  element.addEventListener("dblclick", (event) => (movable.zoomed ? movable.showAll() : movable.zoom(4, place(event))));

  element.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(movable);
  });
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function middle(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
