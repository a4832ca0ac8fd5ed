// Stylesheets as text, see `build.mjs`.

declare module "style:*" {
  const text: string;
  export default text;
}
