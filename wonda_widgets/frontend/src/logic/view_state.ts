// Zoom and pan of one image, or of several images in sync.

import { batch, signal } from "@preact/signals";
import { clamp } from "./clamp";

export const MAX_ZOOM = 12;

/** A zoom and pan state. Viewers that share one move together. */
export class ViewState {
  readonly scale = signal(1);
  /** The visible center, as fractions of the image from its center. */
  readonly x = signal(0);
  readonly y = signal(0);

  get isZoomed(): boolean {
    return this.scale.value > 1;
  }

  /** Zoom by a factor around a point, given as fractions of the image from its center. */
  zoom(factor: number, atX = 0, atY = 0): void {
    const before = this.scale.peek();
    const after = clamp(before * factor, 1, MAX_ZOOM);
    this.#set(
      after,
      this.x.peek() + atX / before - atX / after,
      this.y.peek() + atY / before - atY / after,
    );
  }

  /** Move the image by fractions of its displayed size. */
  pan(x: number, y: number): void {
    const scale = this.scale.peek();
    this.#set(scale, this.x.peek() - x / scale, this.y.peek() - y / scale);
  }

  reset(): void {
    this.#set(1, 0, 0);
  }

  #set(scale: number, x: number, y: number): void {
    const most = (1 - 1 / scale) / 2;
    batch(() => {
      this.scale.value = scale;
      this.x.value = clamp(x, -most, most);
      this.y.value = clamp(y, -most, most);
    });
  }
}
