// The traits of `Gallery`, see `widgets/gallery.py` and `widgets/_shared/image_grid.py`.

import type { AxisGrid } from "../../logic/axis_layout";
import type { Group } from "../../logic/grid_layout";

/** A property by which images can be filtered and grouped. */
export interface Facet {
  name: string;
  label: string;
  values: string[];
}

/** A button for the selected images. */
export interface Action {
  name: string;
  label: string;
  min_images: number;
  max_images: number;
  images_only: boolean;
}

export interface GalleryTraits {
  selected_keys: string[];
  has_selected_video: boolean;
  searches: boolean;
  groups: Group[];
  facets: Facet[];
  arrangement: "cards" | "grid";
  grid: AxisGrid;
  axes: { name: string; label: string }[];
  grid_rows: string;
  grid_columns: string;
  group_by: string;
  filters: Record<string, string>;
  favorites: boolean;
  rating: number;
  order: string;
  rank: number;
  approval: string;
  /** "rank" and "approval", if any image has one. */
  reviewed: string[];
  rated: boolean;
  total: number;
  aspect_ratio: number;
  revision: number;
  state: string;
  text: string;
  kind: string;
  has_videos: boolean;
  model: string;
  models: string[];
  collection: string;
  collections: string[];
  since: string;
  until: string;
  has_more: boolean;
  note: string;
  progress: {
    text?: string;
    state?: string;
    /** Shares of all images. */
    succeeded?: number;
    failed?: number;
    offers_resume?: boolean;
    offers_retry?: boolean;
    /** What the buttons cost. */
    resume_price?: string;
    retry_price?: string;
  };
  actions: Action[];
}

/** An image, or a request for one. */
export interface Item {
  key: string;
  state: "waiting" | "requested" | "running" | "succeeded" | "failed" | "lost" | "unknown";
  title: string;
  is_video?: boolean;
  /** The length of a video: "0:05". */
  length?: string;
  caption?: string;
  status?: string;
  /** What it costs to generate the image again. */
  price?: string;
  error?: { title?: string; text?: string } | null;
  favorite?: boolean;
  rating?: number;
  /** The result of the latest review; 0 and "" for none. */
  rank?: number;
  approval?: string;
  read_only?: boolean;
}
