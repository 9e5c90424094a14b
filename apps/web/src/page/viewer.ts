/** The before/after view: a canvas, a divider, and the buttons that zoom. */

import { isWhole, type Point, panBy, reframe, type Size, type View, whole, zoomAt } from "../core/view";
import type { Comparison } from "./comparison";
import { byId } from "./dom";
import { listenToGestures } from "./gestures";

const STEP = 1.5;

export class Viewer {
  readonly #root = byId("viewer", HTMLElement);
  readonly #canvas = byId("canvas", HTMLCanvasElement);
  readonly #divider = byId("divider", HTMLInputElement);
  readonly #zoom = byId("zoom", HTMLOutputElement);
  #comparison: Comparison | null = null;
  #view: View = { scale: 1, x: 0, y: 0 };
  #frame: Size = { width: 1, height: 1 };
  #drawing = false;

  constructor() {
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
    this.#divider.addEventListener("input", () => this.#redraw());
    byId("zoom-in", HTMLButtonElement).addEventListener("click", () => this.zoom(STEP));
    byId("zoom-out", HTMLButtonElement).addEventListener("click", () => this.zoom(1 / STEP));
    byId("zoom-fit", HTMLButtonElement).addEventListener("click", () => this.showAll());
    listenToGestures(this.#canvas, this);
  }

  /** Show another comparison; one of the same size at the same zoom. */
  show(comparison: Comparison): void {
    const old = this.#comparison;
    if (old !== null) old.changed = () => {};
    this.#comparison = comparison;
    comparison.changed = () => this.#redraw();
    if (old?.width !== comparison.width || old.height !== comparison.height)
      this.#view = whole(comparison, this.#frame);
    this.#redraw();
  }

  get shown(): Comparison | null {
    return this.#comparison;
  }

  get zoomed(): boolean {
    return this.#comparison !== null && !isWhole(this.#view, this.#comparison, this.#frame);
  }

  /** Where the divider is, in CSS pixels from the left of the canvas. */
  get dividerX(): number {
    return this.#share * this.#frame.width;
  }

  moveDivider(x: number): void {
    this.#divider.valueAsNumber = (100 * x) / this.#frame.width;
    this.#redraw();
  }

  zoom(factor: number, at: Point = { x: this.#frame.width / 2, y: this.#frame.height / 2 }): void {
    this.#change((comparison) => zoomAt(this.#view, factor, at, comparison, this.#frame));
  }

  pan(by: Point): void {
    this.#change((comparison) => panBy(this.#view, by, comparison, this.#frame));
  }

  showAll(): void {
    this.#change((comparison) => whole(comparison, this.#frame));
  }

  get #share(): number {
    return this.#divider.valueAsNumber / 100;
  }

  #change(to: (comparison: Comparison) => View): void {
    if (this.#comparison === null) return;
    this.#view = to(this.#comparison);
    this.#redraw();
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width === 0 || height === 0) return;
    const after = { width, height };
    if (this.#comparison !== null) this.#view = reframe(this.#view, this.#comparison, this.#frame, after);
    this.#frame = after;
    this.#canvas.width = width * devicePixelRatio;
    this.#canvas.height = height * devicePixelRatio;
    this.#draw();
  }

  #redraw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#drawing = false;
    const context = this.#canvas.getContext("2d");
    if (context === null || this.#comparison === null) return;
    const { width, height } = this.#frame;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    this.#clipped(context, 0, this.dividerX, (comparison) => comparison.drawBefore(context, this.#view));
    this.#clipped(context, this.dividerX, width, (comparison) => {
      comparison.drawBefore(context, this.#view); // until a tile is done
      comparison.drawAfter(context, this.#view, this.#frame, devicePixelRatio);
    });
    this.#root.style.setProperty("--divider", `${this.dividerX}px`);
    this.#root.classList.toggle("zoomed", this.zoomed);
    this.#zoom.value = `${Math.round(100 * this.#view.scale * devicePixelRatio)} %`;
  }

  #clipped(context: CanvasRenderingContext2D, from: number, to: number, draw: (comparison: Comparison) => void): void {
    if (this.#comparison === null) return;
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, this.#frame.height);
    context.clip();
    draw(this.#comparison);
    context.restore();
  }
}
