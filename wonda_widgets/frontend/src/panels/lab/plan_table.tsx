// How many images or videos a plan has, what they cost, and how much of the budget that is.

import { usePanel } from "../../runtime/context";
import { classes } from "../../runtime/dom";
import type { LabTraits } from "./traits";

const MAX_PRICES = 6;

export function PlanTable({ hidden }: { hidden: boolean }) {
  const panel = usePanel<LabTraits>();
  const {
    action,
    count,
    requested,
    factors,
    prices = [],
    usd,
    budget,
    share,
    notes = [],
    is_stale,
    kind = "image",
  } = panel.get("plan");
  const all = count + requested;
  const isMixed = prices.length > 1;
  return (
    <div class={classes("wonda-plan-box", is_stale && "wonda-stale")} hidden={hidden}>
      <table class="wonda-plan">
        <caption class="wonda-unseen">Plan</caption>
        <tbody>
          <tr>
            <th scope="row">{factors}</th>
            <td>
              <strong>
                {all} {kind}
                {all === 1 ? "" : "s"}
              </strong>
            </td>
          </tr>
          {/* A run changes these numbers; the gallery shows its progress. */}
          {requested > 0 && panel.get("state") !== "running" && (
            <>
              <tr>
                <th scope="row">Done or in progress</th>
                <td>{requested}</td>
              </tr>
              <tr>
                <th scope="row">{action === "retry" ? "Failed" : "Pending"}</th>
                <td>
                  <strong>{count}</strong>
                </td>
              </tr>
            </>
          )}
          {prices.slice(0, MAX_PRICES).map((price) => (
            <tr key={price.text}>
              <th scope="row">
                {isMixed ? `Price per ${kind} (${price.count} ${kind}s)` : `Price per ${kind}`}
              </th>
              <td>{price.text.replace(/^about /, "")}</td>
            </tr>
          ))}
          <tr>
            <th scope="row">
              <strong>
                {action === "resume" || action === "retry" ? "Still to pay" : "Total"}
              </strong>
            </th>
            <td>
              <strong>{usd}</strong>
              {budget && ` of ${budget} budget`}
            </td>
          </tr>
        </tbody>
      </table>
      <div class={classes("wonda-bar wonda-budget-bar", share > 1 && "wonda-over")}>
        <div style={{ width: `${Math.min(100, 100 * (share || 0))}%` }} />
      </div>
      <p class="wonda-help">{notes.join(" ")}</p>
    </div>
  );
}
