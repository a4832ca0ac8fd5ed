// Groups, filters and ratings, next to the image count and the export.

import type { Ref } from "preact";
import { own } from "../../logic/own";
import { usePanel } from "../../runtime/context";
import { Button } from "../../ui/button";
import { ActionSelect, Segments, Select } from "../../ui/select";
import type { Facet, GalleryTraits } from "./traits";

const EXPORTS = [
  { value: "", label: "Export…" },
  { value: "csv", label: "Table (CSV)" },
  { value: "json", label: "Table (JSON)" },
  { value: "folder", label: "Folder of originals" },
  { value: "html", label: "Storyboard (HTML)" },
  { value: "grid", label: "Labeled grid (PNG)" },
];

const RATINGS = [
  { value: "0", label: "Any rating" },
  { value: "5", label: "★★★★★" },
  ...[4, 3, 2, 1].map((stars) => ({
    value: String(stars),
    label: `${"★".repeat(stars)} or more`,
  })),
];

export function FilterBar({ groupRef }: { groupRef: Ref<HTMLSelectElement> }) {
  const panel = usePanel<GalleryTraits>();
  const facets = panel.get("facets");
  const groupBy = panel.get("group_by");
  const rating = panel.get("rating");
  const searches = panel.get("searches");
  const isGrid = panel.get("arrangement") === "grid";
  const isGrouped = ({ name }: Facet) =>
    !!groupBy && (name === groupBy || name.split(".").slice(1).join(".") === groupBy);
  const hasSelection = panel.get("selected_keys").length > 0;
  return (
    <div class="wonda-gallery-bar">
      <span class="wonda-count" role="status">
        {useCountText()}
      </span>
      <span class="wonda-gap" />
      <span class="wonda-filters">
        {facets
          // The search already has a select for models.
          .filter(({ name }) => name !== "model" || !searches)
          .map((facet) => (
            <FacetFilter key={facet.name} facet={facet} />
          ))}
      </span>
      <ArrangementChoice />
      <Select
        elementRef={groupRef}
        options={[
          { value: "", label: "No groups" },
          ...facets.map(({ name, label }) => ({ value: name, label: `Group: ${label}` })),
        ]}
        value={facets.find(isGrouped)?.name ?? ""}
        hidden={!facets.length || isGrid}
        aria-label="Group by"
        onChange={(value) => panel.set({ group_by: value })}
      />
      <Select
        options={RATINGS}
        value={String(rating)}
        hidden={!panel.get("rated") && !searches && !rating}
        aria-label="Show only: rating"
        onChange={(value) => panel.set({ rating: Number(value) })}
      />
      <ReviewFilters />
      <SortChoice />
      <Button
        small
        pressed={panel.get("favorites")}
        title="Show only favorites"
        onPress={() => panel.set({ favorites: !panel.peek("favorites") })}
      >
        ★ Favorites
      </Button>
      <ActionSelect
        options={
          hasSelection ? [{ value: "", label: "Export selected…" }, ...EXPORTS.slice(1)] : EXPORTS
        }
        hidden={!panel.allows("export")}
        aria-label="Export"
        onChange={(kind) => panel.send({ type: "export", kind })}
      />
    </div>
  );
}

/** "12 of 340+ results". */
function useCountText(): string {
  const panel = usePanel<GalleryTraits>();
  const total = panel.get("total");
  const shown = useShownCount();
  const all = `${total}${panel.get("has_more") ? "+" : ""}`;
  if (!total) return "No results";
  return `${shown === total ? "" : `${shown} of `}${all} result${total === 1 ? "" : "s"}`;
}

/** The number of images that pass the filters. */
export const useShownCount = (): number =>
  usePanel<GalleryTraits>()
    .get("groups")
    .reduce((sum, { count }) => sum + count, 0);

function FacetFilter({ facet: { name, label, values } }: { facet: Facet }) {
  const panel = usePanel<GalleryTraits>();
  return (
    <Select
      options={[
        { value: "", label: `${label}: all` },
        ...values.map((value) => ({ value, label: value })),
      ]}
      value={own(panel.get("filters"), name) ?? ""}
      aria-label={`Show only: ${label}`}
      onChange={(value) => {
        const { [name]: _, ...others } = panel.peek("filters");
        panel.set({ filters: value ? { ...others, [name]: value } : others });
      }}
    />
  );
}

const ARRANGEMENTS = [
  { value: "cards", label: "Cards" },
  { value: "grid", label: "Grid" },
];
const NO_AXIS = { value: "-", label: "none" };

const RANKS = [
  { value: "0", label: "Any rank" },
  { value: "1", label: "Rank 1" },
  { value: "3", label: "Rank 1 to 3" },
  { value: "10", label: "Rank 1 to 10" },
];
const APPROVALS = [
  { value: "", label: "Any approval" },
  { value: "approved", label: "Approved" },
  { value: "rejected", label: "Rejected" },
  { value: "divided", label: "Divided" },
];

/** What the latest review of each image decided. */
function ReviewFilters() {
  const panel = usePanel<GalleryTraits>();
  const reviewed = panel.get("reviewed");
  const rank = panel.get("rank");
  const approval = panel.get("approval");
  return (
    <>
      <Select
        options={RANKS}
        value={String(rank)}
        hidden={!reviewed.includes("rank") && !rank}
        aria-label="Show only: rank"
        onChange={(value) => panel.set({ rank: Number(value) })}
      />
      <Select
        options={APPROVALS}
        value={approval}
        hidden={!reviewed.includes("approval") && !approval}
        aria-label="Show only: approval"
        onChange={(value) => panel.set({ approval: value })}
      />
    </>
  );
}

const ORDERS = [
  { value: "newest", label: "Newest first" },
  { value: "oldest", label: "Oldest first" },
  { value: "rank", label: "Best rank first" },
  { value: "rating", label: "Most stars first" },
  { value: "price", label: "Lowest price first" },
  { value: "fastest", label: "Fastest first" },
];

function SortChoice() {
  const panel = usePanel<GalleryTraits>();
  const order = panel.get("order");
  const searches = panel.get("searches");
  const possible = ORDERS.filter(
    ({ value }) =>
      value === order ||
      (value === "rank" && panel.get("reviewed").includes("rank")) ||
      (value === "rating" && panel.get("rated")) ||
      !["rank", "rating"].includes(value),
  );
  return (
    <Select
      options={searches ? possible : [{ value: "", label: "As planned" }, ...possible]}
      value={order || (searches ? "newest" : "")}
      hidden={panel.get("total") < 2}
      aria-label="Sort"
      onChange={(value) => panel.set({ order: searches && value === "newest" ? "" : value })}
    />
  );
}

/** Cards or a grid, and the axes of the grid. */
function ArrangementChoice() {
  const panel = usePanel<GalleryTraits>();
  const arrangement = panel.get("arrangement");
  const axes = panel.get("axes");
  const { row_fact = "", column_fact = "" } = panel.get("grid");
  const isGrid = arrangement === "grid";
  const choose = (trait: "grid_rows" | "grid_columns", chosen: string) => {
    const others = { grid_rows: row_fact || "-", grid_columns: column_fact || "-" };
    // A fact that is the other axis already changes places with this one.
    const other = trait === "grid_rows" ? "grid_columns" : "grid_rows";
    const swapped = chosen !== "-" && others[other] === chosen ? { [other]: others[trait] } : {};
    panel.set({ ...others, ...swapped, [trait]: chosen });
  };
  const options = (axis: string) => [
    { ...NO_AXIS, label: `${axis}: none` },
    ...axes.map(({ name, label }) => ({ value: name, label: `${axis}: ${label}` })),
  ];
  return (
    <>
      <span hidden={!axes.length && !isGrid}>
        <Segments
          options={ARRANGEMENTS}
          value={arrangement}
          aria-label="Arrangement"
          onChange={(value) => panel.set({ arrangement: value as GalleryTraits["arrangement"] })}
        />
      </span>
      <span class="wonda-axes" hidden={!isGrid}>
        <Select
          options={options("Rows")}
          value={row_fact || "-"}
          aria-label="Rows"
          onChange={(chosen) => choose("grid_rows", chosen)}
        />
        <Button
          small
          label="Swap rows and columns"
          title="Swap rows and columns"
          onPress={() =>
            panel.set({ grid_rows: column_fact || "-", grid_columns: row_fact || "-" })
          }
        >
          ⇄
        </Button>
        <Select
          options={options("Columns")}
          value={column_fact || "-"}
          aria-label="Columns"
          onChange={(chosen) => choose("grid_columns", chosen)}
        />
      </span>
    </>
  );
}
