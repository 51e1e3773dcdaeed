/* What the left and the right side of the stage show of a photograph. */

import { clamp, debounce } from "./basics.js";
import { picture } from "./server.js";
import { settings, state } from "./state.js";
import { lose } from "./work.js";
import { paint } from "./painting.js";

const previewSize = () => clamp(1024 * Math.ceil((Math.max(innerWidth, innerHeight) * devicePixelRatio) / 1024), 2048, 4096);

function remote(run, part, { width, height }, alt) {
  const path = `${run.path}/${part}`;
  const crop = (...box) => `${path}?crop=${box.join(",")}`;
  return { key: path, url: `${path}?size=${previewSize()}`, crop, alt, width, height, gone: () => lose(run) };
}

function originalOf(photo) {
  const alt = `${photo.name}, original`;
  const run = photo.source ?? (photo.drawable ? null : photo.known);
  if (photo.drawable) photo.url ??= URL.createObjectURL(photo.file);
  const local = photo.drawable ? photo.url : null;
  const undrawable = () => {
    photo.drawable = false;
    paint(photo);
  };
  if (run) return { ...remote(run, "before", run.job.photograph, alt), local, undrawable };
  return local ? { key: local, local, alt, undrawable } : null;
}

export function sideOf(photo, run, layer) {
  const original = originalOf(photo);
  if (!run) return { over: original, under: null, opacity: 1 };
  const alt = `${photo.name}, ${layer ? state.about.layers[layer].label : run.label}`;
  const over = remote(run, layer ? `layers/${layer}` : "after", run.result, alt);
  return { over, under: original, opacity: layer ? 1 : run.blend };
}

/** The layer that is wanted, if the result has it. */
export const layerOf = (run) => (run?.result.layers.includes(settings.layer) ? settings.layer : null);

/** Fetch what the next photograph will show. */
export const preload = debounce(() => {
  const next = state.photos[state.photos.indexOf(state.shown) + 1];
  if (!next?.right) return;
  const { over, under } = sideOf(next, next.right, layerOf(next.right));
  for (const source of [over, under]) if (source?.url) picture(source.url).catch(() => {});
}, 900);
