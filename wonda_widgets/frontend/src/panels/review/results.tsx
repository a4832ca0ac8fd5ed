// The results of a review: ranks with their intervals, or who approved what.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { objectUrl, revoke } from "../../runtime/bytes";
import { useMessages, usePanel } from "../../runtime/context";
import type { ResultRow, ReviewTraits } from "./traits";

const INTERVAL = 4000; // milliseconds between two looks at the votes of others

export function Results(props: {
  viewId: string;
  /** The person of this page, for the kernel. */
  who: () => Record<string, unknown>;
  /** Changes when there may be other results. */
  version: number;
}) {
  const { viewId, version } = props;
  const who = useRef(props.who);
  who.current = props.who;
  const panel = usePanel<ReviewTraits>();
  const rows = useSignal<ResultRow[]>([]);
  const sentences = useSignal({ summary: "", agreement: "" });
  const thumbs = useRef(new Map<string, string>());
  const arrived = useSignal(0);
  useMessages((content, buffers) => {
    if (content.type === "results" && content.view === viewId) {
      rows.value = content.rows as ResultRow[];
      sentences.value = {
        summary: String(content.summary),
        agreement: String(content.agreement),
      };
    } else if (content.type === "thumb") {
      revoke(thumbs.current.get(String(content.key)));
      thumbs.current.set(String(content.key), objectUrl(buffers[0], ""));
      arrived.value++;
    }
  });
  useEffect(() => {
    const ask = () =>
      panel.send({ type: "results", ...who.current(), has: [...thumbs.current.keys()] });
    ask();
    const timer = setInterval(ask, INTERVAL);
    return () => clearInterval(timer);
  }, [panel, version]);
  useEffect(
    () => () => {
      thumbs.current.forEach(revoke);
    },
    [],
  );
  arrived.value; // render again when a thumbnail arrives
  const isRanking = panel.get("mode") === "compare";
  const thumb = (key: string) => thumbs.current.get(key);
  return (
    <section class="wonda-review-results" aria-label="Results">
      <p class="wonda-review-summary" role="status">
        {sentences.value.summary} {sentences.value.agreement}
      </p>
      <table class="wonda-review-table" hidden={isRanking && !rows.value.some(hasVotes)}>
        <thead>
          <tr>
            {isRanking && <th scope="col">Rank</th>}
            <th scope="col">Image</th>
            <th scope="col">{isRanking ? "Chance to win against an average image" : "Result"}</th>
            <th scope="col">{isRanking ? "Votes" : "Decisions"}</th>
          </tr>
        </thead>
        <tbody>
          {rows.value.map((row) => (
            <tr key={row.key}>
              {isRanking && <td class="wonda-review-rank">{rankText(row)}</td>}
              <th scope="row">
                <img src={thumb(row.key)} hidden={!thumb(row.key)} alt="" />
                <span dir="auto">{row.title || "Image"}</span>
              </th>
              <td>{isRanking ? <Score row={row} /> : row.approval || "open"}</td>
              <td>{isRanking ? votesText(row) : <Decisions row={row} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The rank, and the ranks that the votes do not rule out. */
function rankText(row: ResultRow) {
  if (!hasVotes(row)) return <span class="wonda-count">not compared</span>;
  const { rank = 0, best_rank = rank, worst_rank = rank } = row;
  return (
    <>
      <strong>{rank}</strong>
      <span class="wonda-count">
        {best_rank === worst_rank ? "certain" : `could be ${best_rank}–${worst_rank}`}
      </span>
    </>
  );
}

const hasVotes = ({ wins = 0, losses = 0, ties = 0 }: ResultRow) => wins + losses + ties > 0;

function votesText({ wins = 0, losses = 0, ties = 0, both_bad = 0 }: ResultRow): string {
  const parts = [`${wins} won`, `${losses} lost`];
  if (ties > both_bad) parts.push(`${ties - both_bad} equal`);
  if (both_bad) parts.push(`${both_bad} both bad`);
  return parts.join(", ");
}

/** The score as a bar with its interval. */
function Score({ row: { score = 0, low = 0, high = 0 } }: { row: ResultRow }) {
  const percent = (share: number) => `${Math.round(100 * share)}%`;
  return (
    <>
      <div class="wonda-review-score" aria-hidden="true">
        <div style={{ width: percent(score) }} />
        <span style={{ left: percent(low), width: percent(high - low) }} />
      </div>
      <span class="wonda-count">
        {percent(score)} ({percent(low)} to {percent(high)})
      </span>
    </>
  );
}

function Decisions({ row: { decisions = [] } }: { row: ResultRow }) {
  return (
    <ul class="wonda-review-decisions">
      {decisions.map(({ name, choice, comment }) => (
        <li key={name} dir="auto">
          <strong>{name}</strong> {choice === "approve" ? "approved" : "rejected"}
          {comment && `: ${comment}`}
        </li>
      ))}
    </ul>
  );
}
