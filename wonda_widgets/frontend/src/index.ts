// All panels: the bundle `static/panels.js`.

import styles from "style:../styles/index.css";
import pageStyles from "style:../styles/page.css";
import type { RenderProps } from "@anywidget/types";
import { h, render } from "preact";
import { CarouselForm } from "./panels/carousel_form";
import { Compare } from "./panels/compare";
import { Composite } from "./panels/composite";
import { DashboardBar } from "./panels/dashboard_bar";
import { EditForm } from "./panels/edit";
import { Filmstrip } from "./panels/filmstrip";
import { Gallery } from "./panels/gallery";
import { ImagePreview } from "./panels/image_preview";
import { JobProgress } from "./panels/job_progress";
import { addKinds, panelKind } from "./panels/kinds";
import { LabForm } from "./panels/lab";
import { PromptForm } from "./panels/prompt_form";
import { PublishForm } from "./panels/publish_form";
import { Review } from "./panels/review";
import { ScheduledPosts } from "./panels/scheduled_posts";
import { Snippets } from "./panels/snippets";
import { StoryboardBar } from "./panels/storyboard_bar";
import { Timeline } from "./panels/timeline";
import { Unfinished } from "./panels/unfinished";
import { VideoPreview } from "./panels/video_preview";
import { PanelView } from "./ui/panel_view";

addKinds({
  carousel_form: { className: "wonda-publish wonda-carousel", component: CarouselForm },
  compare: { className: "wonda-compare", component: Compare },
  composite: { className: "wonda-studio", component: Composite, isComposite: true },
  dashboard_bar: { className: "wonda-dashboard-bar", component: DashboardBar },
  edit_form: { className: "wonda-edit", component: EditForm },
  filmstrip: { className: "wonda-filmstrip", component: Filmstrip },
  gallery: { className: "wonda-gallery", component: Gallery },
  image_preview: { className: "wonda-preview", component: ImagePreview },
  job_progress: { className: "wonda-progress", component: JobProgress },
  lab_form: { className: "wonda-lab-form", component: LabForm },
  prompt_form: { className: "wonda-form", component: PromptForm },
  publish_form: { className: "wonda-publish", component: PublishForm },
  review: { className: "wonda-review", component: Review },
  scheduled_posts: { className: "wonda-scheduled", component: ScheduledPosts },
  snippets: { className: "wonda-snippets-panel", component: Snippets },
  storyboard_bar: { className: "wonda-storyboard-bar", component: StoryboardBar },
  timeline: { className: "wonda-timeline", component: Timeline },
  video_preview: { className: "wonda-preview", component: VideoPreview },
  unfinished: { className: "wonda-unfinished", component: Unfinished },
});

const sheets = new WeakSet<Document | ShadowRoot>();

/** The styles, only for the elements of this version: another kernel may have sent another one. */
function stylesOf(version: string): string {
  const root = `[data-wonda-version="${version}"]`;
  const own = "CSSScopeRule" in globalThis ? `@scope (${root}) {${styles}}` : styles;
  return own + pageStyles.replaceAll("[data-wonda-version]", root);
}

/** Add the styles to the document or shadow root of an element, once. */
function addStyles(element: HTMLElement, version: string): void {
  const root = element.getRootNode();
  const target = root instanceof ShadowRoot ? root : document;
  if (sheets.has(target)) return;
  sheets.add(target);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(stylesOf(version));
  target.adoptedStyleSheets.push(sheet);
}

/** Show the panel of a model in an element; return a function that removes it. */
export function mount({ model, el, host }: RenderProps): () => void {
  const kind = panelKind(model.get("_panel"));
  const version: string = model.get("_version");
  el.dataset.wondaVersion = version;
  addStyles(el, version);
  render(h(PanelView, { kind, model, host }), el);
  return () => render(null, el);
}
