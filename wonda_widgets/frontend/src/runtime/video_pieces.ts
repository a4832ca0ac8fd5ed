// A video that comes through the kernel, one piece after the other.

import type { Message, Panel } from "./panel";

interface Options {
  panel: Panel;
  /** The name of the video in the panel's messages. */
  of: string;
  /** The ID of the view, so that only it receives the pieces. */
  view: string;
  onProgress: (text: string) => void;
}

const MEGABYTE = 1e6;

/** Load a whole video; an error with a sentence if that is not possible. */
export function loadVideo({ panel, of, view, onProgress }: Options): {
  video: Promise<Blob>;
  stop: () => void;
} {
  let stop = () => {};
  const video = new Promise<Blob>((resolve, reject) => {
    const pieces: DataView[] = [];
    let received = 0;
    const ask = () => panel.send({ type: "video_piece", of, view, at: received });
    const listen = (content: Message, buffers: DataView[]) => {
      if (content.of !== of || content.view !== view) return;
      if (content.type === "video_progress") onProgress(String(content.text));
      if (content.type === "video_failed") fail(String(content.reason));
      if (content.type !== "video_piece" || content.at !== received) return;
      const piece = buffers[0];
      if (piece) pieces.push(piece);
      received += piece?.byteLength ?? 0;
      const total = Number(content.total);
      if (received >= total || !piece?.byteLength) {
        stop();
        resolve(new Blob(pieces as BlobPart[], { type: String(content.mime) }));
        return;
      }
      onProgress(`${(received / MEGABYTE).toFixed(1)} of ${(total / MEGABYTE).toFixed(1)} MB`);
      ask();
    };
    const fail = (reason: string) => {
      stop();
      reject(new Error(reason));
    };
    stop = panel.onMessage(listen);
    ask();
  });
  return { video, stop: () => stop() };
}
