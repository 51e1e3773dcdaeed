/* How results go out: one file, all as an archive, the clipboard. */

import { make } from "./basics.js";
import { toast } from "./words.js";
import { Problem, send } from "./server.js";
import { settings, state } from "./state.js";

export function download({ best }) {
  make("a", { href: best.file(), download: "" }).click();
  best.saved = true;
}

/** Ask for the archive once to see that it comes, then let the browser save it. */
export async function downloadAll() {
  const ready = state.photos.filter((photo) => photo.best);
  const form = { ext: settings.ext || null, quality: Number(settings.quality) || null, strip: settings.strip || null };
  const items = JSON.stringify(ready.map(({ best, folder }) => ({ job: best.job.id, strength: best.blend, ...form, folder })));
  const attempt = new AbortController();
  try {
    await send("/v1/archive", { method: "POST", body: new URLSearchParams({ items }), signal: attempt.signal });
  } catch (problem) {
    toast(problem.message);
    return;
  }
  attempt.abort();
  const field = make("input", { name: "items", value: items });
  const post = make("form", { method: "post", action: "/v1/archive", hidden: true }, field);
  document.body.append(post);
  state.leaving = true;
  post.submit();
  post.remove();
  setTimeout(() => { state.leaving = false; }, 2000);
  for (const { best } of ready) best.saved = true;
}

export async function copy({ best }) {
  const form = { ext: "png", strip: settings.strip };
  try {
    const png = send(best.file(form)).then((answer) => answer.blob());
    await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
    toast("The result is copied.");
  } catch (problem) {
    toast(problem instanceof Problem ? problem.message : "The browser did not allow to copy.");
  }
}
