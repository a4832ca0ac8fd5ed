// The earlier images of a studio.

import { useObjectUrl } from "../runtime/bytes";
import { useHidden, usePanel } from "../runtime/context";

interface Traits {
  thumbs: DataView[];
  labels: string[];
  selected: number;
}

export function Filmstrip() {
  const panel = usePanel<Traits>();
  const thumbs = panel.get("thumbs");
  const labels = panel.get("labels");
  useHidden(thumbs.length < 2);
  return (
    <ul aria-label="Earlier images">
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
          </button>
        </li>
      ))}
    </ul>
  );
}

function Thumb({ data }: { data: DataView }) {
  return <img src={useObjectUrl(data, "image/jpeg") || undefined} alt="" />;
}
