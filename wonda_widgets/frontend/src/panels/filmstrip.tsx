// The earlier images of a studio.

import { useObjectUrl } from "../runtime/bytes";
import { useHidden, usePanel } from "../runtime/context";

interface Traits {
  thumbs: DataView[];
  labels: string[];
  videos: boolean[];
  selected: number;
}

export function Filmstrip() {
  const panel = usePanel<Traits>();
  const thumbs = panel.get("thumbs");
  const labels = panel.get("labels");
  const videos = panel.get("videos");
  useHidden(thumbs.length < 2);
  return (
    <ul aria-label="Earlier results">
      {thumbs.map((data, index) => (
        <li key={index}>
          <button
            type="button"
            class="wonda-thumb"
            aria-label={`Show: ${labels[index] ?? ""}`}
            aria-current={index === panel.get("selected")}
            title={labels[index]}
            onClick={() => panel.send({ type: "select", index })}
          >
            <Thumb data={data} />
            {videos[index] && (
              <span class="wonda-thumb-mark" aria-hidden="true">
                ▶
              </span>
            )}
          </button>
        </li>
      ))}
    </ul>
  );
}

function Thumb({ data }: { data: DataView }) {
  const url = useObjectUrl(data, "image/jpeg");
  return <img src={url || undefined} hidden={!url} alt="" />;
}
